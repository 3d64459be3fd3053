//! `module`: an upload, from bytes that are nothing at all to components that are valid but for what is in them. It is admitted or
//! refused in few words, and the sandbox goes on.

mod parts;

use arbitrary::{Arbitrary, Unstructured};
use wasm_smith::{Component, Config, Module};

use crate::Target;
use crate::calls::{World, guest};

/// Steps that a generated guest takes before it traps.
const STEPS: u32 = 1_000;

/// Bytes of the longest refusal.
const LONGEST: usize = 2_200;

pub(crate) const TARGET: Target = Target { name: "module", run, seeds, short_run: 40 };

thread_local! {
    static WORLD: World = World::new(&[]);
    static GOOD: Vec<u8> = guest(&[]);
}

/// How the upload is made.
#[derive(Debug, Arbitrary)]
enum Upload<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A component of these sections.
    Sections(&'a [u8]),
    /// A good component with some bytes replaced, and cut.
    Damaged { bytes: Vec<(u16, u8)>, cut: u16 },
    /// A good component whose code is these bytes.
    Code(&'a [u8]),
    /// Valid code, out of the rest of the input, that exports what a good one does.
    Generated,
    /// A valid component that exports anything, out of the rest of the input.
    Strange,
}

fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(upload) = Upload::arbitrary(&mut input) else { return };
    let Some(bytes) = GOOD.with(|good| bytes(upload, good, &mut input)) else { return };
    match WORLD.with(|world| world.inspect(bytes)) {
        Ok(found) => assert!(!found.tasks.is_empty()),
        Err(refused) => assert!(refused.0.len() <= LONGEST, "{} bytes: {refused}", refused.0.len()),
    }
}

fn bytes(upload: Upload<'_>, good: &[u8], input: &mut Unstructured<'_>) -> Option<Vec<u8>> {
    match upload {
        Upload::Bytes(bytes) => Some(bytes.to_vec()),
        Upload::Sections(bytes) => Some([b"\0asm\x0d\0\x01\0", bytes].concat()),
        Upload::Damaged { bytes, cut } => Some(damaged(good, &bytes, cut)),
        Upload::Code(code) => Some(parts::with_code(good, &[b"\0asm\x01\0\0\0", code].concat())),
        Upload::Generated => {
            let mut module = Module::new(config(Some(parts::code(good).to_vec())), input).ok()?;
            module.ensure_termination(STEPS).ok()?;
            Some(parts::with_code(good, &module.to_bytes()))
        }
        Upload::Strange => Some(Component::new(config(None), input).ok()?.to_bytes()),
    }
}

fn damaged(good: &[u8], bytes: &[(u16, u8)], cut: u16) -> Vec<u8> {
    let mut damaged = good.to_vec();
    let length = damaged.len();
    for (at, byte) in bytes {
        damaged[usize::from(*at) % length] = *byte;
    }
    // Most are whole.
    damaged.truncate(if cut.is_multiple_of(4) { usize::from(cut) } else { length });
    damaged
}

/// What the engine's settings take, and some that they do not.
fn config(exports: Option<Vec<u8>>) -> Config {
    Config { exports, max_imports: 0, memory64_enabled: false, gc_enabled: false, threads_enabled: false, ..Config::default() }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![Vec::new(), b"\0asm\x01\0\0\0".to_vec(), b"(component)".to_vec(), guest(&[])]
}
