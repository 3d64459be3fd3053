//! The environment of the programs that a build starts. A build may itself run under cargo (a build script, `cargo run`), whose
//! settings are for another target and another folder.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Cargo's own settings that are for the user rather than for one build; every other `CARGO_…` is dropped.
const KEPT: [&str; 8] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_", "CARGO_TERM_", "CARGO_BUILD_JOBS"];

/// Prefixes of what cargo tells build scripts and compilers.
const DROPPED: [&str; 4] = ["CARGO", "__CARGO", "DEP_", "RUSTC"];

/// Settings of one build without a common prefix; the job server among them belongs to the outer cargo.
const DROPPED_NAMES: [&str; 14] = [
    "RUSTFLAGS",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    "TARGET",
    "HOST",
    "OUT_DIR",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "NUM_JOBS",
    "CLIPPY_ARGS",
    "LLVM_PROFILE_FILE",
];

/// The cargo to build with: the one that runs this build, where there is one.
pub(crate) fn cargo(folder: Option<&Path>) -> Command {
    clean(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), folder)
}

/// A program with the outer build's settings removed. The choice of a toolchain (`RUSTUP_TOOLCHAIN`) stays.
pub(crate) fn clean(program: impl Into<OsString>, folder: Option<&Path>) -> Command {
    let mut command = Command::new(program.into());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_outer_build) {
            command.env_remove(name);
        }
    }
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        command.current_dir(folder);
    }
    command
}

fn is_of_outer_build(name: &str) -> bool {
    let starts_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    DROPPED_NAMES.contains(&name) || (starts_with(&DROPPED) && !starts_with(&KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_script_sees_of_the_outer_build_is_dropped() {
        for name in ["CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_MAKEFLAGS", "MAKEFLAGS", "CARGO"] {
            assert!(is_of_outer_build(name), "{name}");
        }
    }

    #[test]
    fn the_users_own_settings_stay() {
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_OURS_TOKEN", "RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "PATH", "CC"] {
            assert!(!is_of_outer_build(name), "{name}");
        }
    }
}
