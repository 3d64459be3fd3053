//! The `mogbox` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    mogbox::run()
}
