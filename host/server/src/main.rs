//! The `mogbox` binary: a node with its API, and the command line that talks to one.

mod api;
mod bench;
mod cli;
mod escape;
mod logging;
mod node;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
