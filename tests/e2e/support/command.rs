//! The binary under test, as a command.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a command said and how it ended.
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The folder of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The binary: `MOGBOX`, or the one that stands beside this test's folder.
pub(crate) fn binary() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("mogbox");
    let path = std::env::var_os("MOGBOX").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "{} is not there: run 'cargo build --package mogbox' first, as 'make test' does", path.display());
    path
}

/// What the binary reads from the environment: nothing of whoever runs the tests may reach it.
const SETTINGS: [&str; 8] = [
    "MOGBOX_SERVER",
    "MOGBOX_TENANT",
    "MOGBOX_TOKEN",
    "MOGBOX_REDIS",
    "MOGBOX_LOG",
    "MOGBOX_REGISTRY_USER",
    "MOGBOX_REGISTRY_PASSWORD",
    "DOCKER_CONFIG",
];

/// A command without the settings of whoever runs the tests.
pub(crate) fn untold(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command
}

/// Runs the binary to its end.
pub(crate) fn mogbox(args: &[&str]) -> Output {
    run(untold(binary()).args(args))
}

/// Runs any command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Output {
    /// The output of a command that must have gone well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// The error text of a command that must have failed.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert_ne!(self.code, 0, "it went well: {}", self.stdout);
        self.stderr
    }
}
