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

/// What one attempt does and meets.
#[derive(Debug, Arbitrary)]
struct Input<C> {
    stop: Option<Stop>,
    steps: Vec<Step<C>>,
}

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

/// One step of the guest.
#[derive(Debug, Arbitrary)]
enum Step<C> {
    Call(C),
    CallOften(C, u16),
    /// A call with whatever numbers there are for its pointers and lengths.
    CallWildly {
        function: u8,
        parameters: Vec<u32>,
        times: u8,
    },
    Write {
        at: u16,
        bytes: Vec<u8>,
    },
    Grow(u8),
    /// The run ends with what lies there.
    Answer(u32),
}

/// Lets a guest make the calls that the input stands for, and checks what became of it.
pub(crate) fn run<C: Calls>(world: &World, data: &[u8]) {
    let Ok(input) = Input::<C>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut program = Program::default();
    for step in input.steps {
        match step {
            Step::Call(call) => call.write(&mut program, 1),
            Step::CallOften(call, times) => call.write(&mut program, times),
            Step::CallWildly { function, parameters, times } => {
                let function = usize::from(function) % C::IMPORTS.len();
                program.call(function, &parameters.into_iter().map(u64::from).collect::<Vec<_>>(), times.into());
            }
            Step::Write { at, bytes } => program.write(at.into(), &bytes),
            Step::Grow(pages) => program.grow(pages),
            Step::Answer(at) => program.answer(at),
        }
    }
    world.check(&program, input.stop.map(|stop| stop.reason()));
}
