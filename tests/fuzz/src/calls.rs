//! Host calls through a guest: the fuzzer's bytes become steps, the steps a program, and a fixed guest carries the program out in
//! a real sandbox on real stores. Whatever it does, the attempt has an outcome, every bound holds, and the next attempt works.

mod guest;
mod program;
mod words;
mod world;

use arbitrary::{Arbitrary, Unstructured};
use mogbox_core::executor::StopReason;

pub(crate) use guest::{Import, guest};
pub(crate) use program::Program;
pub(crate) use words::{Entry, Key, Text};
pub(crate) use world::World;

/// The calls of one interface, with arguments that mostly make sense.
pub(crate) trait Calls: for<'a> Arbitrary<'a> {
    /// The interface's functions, in the order in which programs number them.
    const IMPORTS: &'static [Import];

    /// Adds the call, made so many times, to a program.
    fn write(self, program: &mut Program, times: u16);
}

/// Steps of the longest program.
const MOST_STEPS: usize = 40;

#[derive(Debug, Arbitrary)]
enum Stop {
    Revoked,
    Draining,
    LeaseLost,
}

impl Stop {
    fn reason(&self) -> StopReason {
        match self {
            Self::Revoked => StopReason::Revoked,
            Self::Draining => StopReason::Draining,
            Self::LeaseLost => StopReason::LeaseLost,
        }
    }
}

/// Lets a guest make the calls that the input stands for, and checks what became of it.
pub(crate) fn run<C: Calls>(world: &World, data: &[u8]) {
    let mut input = Unstructured::new(data);
    let stop = if input.ratio(1, 8).unwrap_or(false) { Stop::arbitrary(&mut input).ok() } else { None };
    let mut program = Program::default();
    for _ in 0..MOST_STEPS {
        if input.is_empty() || add_step::<C>(&mut input, &mut program).is_err() {
            break;
        }
    }
    world.check(&program, stop.map(|stop| stop.reason()));
}

/// Adds one step to a program; most are a call that makes sense.
fn add_step<C: Calls>(input: &mut Unstructured<'_>, program: &mut Program) -> arbitrary::Result<()> {
    match input.int_in_range(0..=63)? {
        0 => program.grow(input.arbitrary()?),
        // The run ends with what lies there.
        1 => program.answer(input.arbitrary()?),
        2 => {
            let at: u16 = input.arbitrary()?;
            program.write(at.into(), &few_bytes(input)?);
        }
        // A call with whatever numbers there are for its pointers and lengths.
        3 => {
            let function = input.choose_index(C::IMPORTS.len())?;
            let parameters: [u32; 16] = input.arbitrary()?;
            program.call(function, &parameters.map(u64::from), 1);
        }
        4..=12 => C::arbitrary(input)?.write(program, input.arbitrary()?),
        _ => C::arbitrary(input)?.write(program, 1),
    }
    Ok(())
}

/// At most 64 bytes of the input.
fn few_bytes(input: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let length = input.int_in_range(0..=64)?.min(input.len());
    input.bytes(length).map(<[u8]>::to_vec)
}
