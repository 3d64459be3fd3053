//! What a fuzzer calls: one function a target, over one entry of the library that strangers' bytes go through. A target panics where
//! something is wrong. Knows no fuzzer: `libfuzzer/` calls these from outside the workspace, `tests/short.rs` within.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target says by a panic that something is wrong"
)]

mod calls;
pub mod mutate;
mod targets;

use std::path::Path;

pub use targets::TARGETS;

/// One thing to fuzz.
pub struct Target {
    /// Its name, which is that of the fuzzer's binary.
    pub name: &'static str,
    /// Does whatever the bytes say, and panics where the product does what it must not.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Inputs of the short run.
    pub short_run: usize,
}

/// The variable that names a folder for the seeds of a target.
const SEEDS: &str = "MOGBOX_SEEDS";

/// The target of this name.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("a target of this name")
}

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, or where it found something.
pub fn run(name: &str, data: &[u8]) {
    (target(name).run)(data);
}

/// Writes the seeds of this target into the folder that the environment names by `MOGBOX_SEEDS`, if it does.
///
/// # Panics
/// Where there is no such target, or the folder cannot be written to.
pub fn write_seeds(name: &str) {
    let Some(folder) = std::env::var_os(SEEDS) else { return };
    for (number, seed) in (target(name).seeds)().iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("a folder to write to");
    }
}

/// Seeds from the lines of a text.
fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().filter(|line| !line.is_empty()).map(|line| line.as_bytes().to_vec()).collect()
}
