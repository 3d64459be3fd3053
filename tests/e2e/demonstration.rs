//! The demonstration, run as `make demo` runs it.

use std::path::Path;
use std::process::Command;

use crate::support::{binary, guests, repository, run};

#[test]
fn the_demonstration_runs_to_its_end() {
    // TARGET/guests/components/example-add.wasm
    let target = Path::new(guests::EXAMPLE_ADD).ancestors().nth(3).unwrap();
    let mut demo = Command::new(repository().join("examples/demo.sh"));
    let output = run(demo.env("MOGBOX", binary()).env("CARGO_TARGET_DIR", target)).ok();
    for text in ["This task was launched by @dol", "dkl", "done"] {
        assert!(output.contains(text), "{text:?} is missing: {output}");
    }
}
