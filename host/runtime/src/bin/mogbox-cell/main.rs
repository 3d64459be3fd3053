//! The process that attempts of the tests run in. A task whose name begins with `deed.` runs no guest: it does what a guest could do that
//! got out of its sandbox, with the whole process in its hands, and says what of it worked.
#![allow(unsafe_code, reason = "whoever got out of a sandbox keeps to no rules")]
#![allow(clippy::print_stderr, reason = "it is no part of the product")]

use std::process::ExitCode;

#[cfg(debug_assertions)]
mod deeds;

#[cfg(debug_assertions)]
fn main() -> ExitCode {
    mogbox_runtime::run_attempts_with(deeds::deed)
}

#[cfg(not(debug_assertions))]
fn main() -> ExitCode {
    mogbox_runtime::run_attempts()
}
