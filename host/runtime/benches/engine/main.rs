//! What the sandbox costs, measured on this machine: `cargo bench -p mogbox-runtime --bench engine -- [NAME]...`. Each figure is a
//! line `mogbox METRIC VALUE UNIT  # min .. max .. reps ..` for programs; a table for people follows.
#![allow(clippy::print_stdout, reason = "this is what a bench is for")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot go on has nothing to report")]

mod attempt;
mod bare;
mod deadlines;
#[path = "../../tests/sandbox/endless.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod endless;
#[path = "../../tests/sandbox/guests.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
mod guests;
mod modules;
mod parked;
#[path = "../../tests/sandbox/parking.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod parking;
mod pool;
mod report;
mod scaling;
#[path = "../../tests/sandbox/world.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod world;

use report::Report;

/// A bench by name.
type Bench = (&'static str, fn(&mut Report));

const BENCHES: [Bench; 5] = [
    ("attempt", attempt::bench),
    ("pool", pool::bench),
    ("scaling", scaling::bench),
    ("deadlines", deadlines::bench),
    ("parked", parked::bench),
];

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if asked.iter().any(|one| one == scaling::CHILD) {
        return scaling::child();
    }
    let mut report = Report::default();
    for (name, bench) in BENCHES {
        if asked.is_empty() || asked.iter().any(|one| one == name) {
            bench(&mut report);
        }
    }
    report.show_table();
}
