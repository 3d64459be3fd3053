//! The `mogbox` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The first argument of a process that a node starts to run attempts in.
const RUN_ATTEMPTS: &str = "run-attempts";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == RUN_ATTEMPTS) {
        return mogbox_runtime::run_attempts();
    }
    mogbox::run()
}
