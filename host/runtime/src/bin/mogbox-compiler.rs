//! Compiles modules as `mogbox` does, for tests and benchmarks of this crate, which are no such program themselves.

use std::process::ExitCode;

fn main() -> ExitCode {
    mogbox_runtime::compile_child().unwrap_or(ExitCode::FAILURE)
}
