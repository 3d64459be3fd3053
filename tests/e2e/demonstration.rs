//! The demonstration, run as `make demo` runs it.

use std::process::Command;

use crate::support::{binary, guests, repository, run};

#[test]
fn the_demonstration_runs_to_its_end() {
    let target = std::path::Path::new(guests::EXAMPLE_ADD).ancestors().nth(2).unwrap();
    let mut demo = Command::new(repository().join("examples/demo.sh"));
    let output = run(demo.env("MOGBOX", binary()).env("GUESTS", target)).ok();
    for text in ["This task was launched by @dol", "dkl", "done"] {
        assert!(output.contains(text), "{text:?} is missing: {output}");
    }
}
