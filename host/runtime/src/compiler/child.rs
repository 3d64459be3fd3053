//! The process that compiles one component: confined before it reads, from standard input to standard output, and gone. What it is
//! given is hostile, so that whatever it says may be a lie: its output becomes code that guests run, and nothing else.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use wasmtime::{Engine, OutOfMemory};

use crate::confine::{Confinement, confine};
use crate::engine::EngineSettings;

/// The first argument of the program that makes it compile.
pub(super) const ENTRY: &str = "compile-module";

/// What Rust says before it aborts for want of memory.
pub(super) const OUT_OF_MEMORY: &str = "memory allocation of ";

/// Numbers of the signals that tell something; the same on every system.
const KILL: i32 = 9;
const SIGNALS_OF_CRASHES: [i32; 5] = [4, 6, 7, 8, 11];
#[cfg(target_os = "linux")]
const CPU_TIME: i32 = libc::SIGXCPU;
#[cfg(target_os = "linux")]
const FILE_SIZE: i32 = libc::SIGXFSZ;
#[cfg(not(target_os = "linux"))]
const CPU_TIME: i32 = 24;
#[cfg(not(target_os = "linux"))]
const FILE_SIZE: i32 = 25;

/// Exit codes.
const INVALID: u8 = 10;
const MEMORY: u8 = 11;
const NOT_CONFINED: u8 = 12;

/// How far the node goes before.
const NICENESS: i32 = 10;

/// Standard input, output and error, and some for the system's libraries.
const OPEN_FILES: u64 = 16;

/// How a child ended.
pub(super) enum Ended {
    Well,
    /// The component is not valid; the text says why.
    Invalid,
    Time,
    Memory,
    /// By a signal of its own making.
    Aborted,
    /// By somebody else, such as a system that is out of memory.
    Killed,
    Otherwise,
}

impl Ended {
    pub(super) fn of(status: ExitStatus) -> Self {
        match (status.code().map(u8::try_from), status.signal()) {
            (Some(Ok(0)), _) => Self::Well,
            (Some(Ok(INVALID)), _) => Self::Invalid,
            (Some(Ok(MEMORY)), _) => Self::Memory,
            (_, Some(CPU_TIME)) => Self::Time,
            (_, Some(FILE_SIZE)) => Self::Memory,
            (_, Some(KILL)) => Self::Killed,
            (_, Some(signal)) if SIGNALS_OF_CRASHES.contains(&signal) => Self::Aborted,
            _ => Self::Otherwise,
        }
    }
}

/// Why nothing was compiled: the exit code, and a text.
struct Failed(u8, String);

/// Compiles one component, where the command line asks for that: then the process is to end with this code. To be called first of all,
/// while it has one thread and nothing open.
#[must_use]
pub fn compile_child() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ENTRY {
        return None;
    }
    Some(match compile(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(code, text)) => {
            io::stderr().write_all(text.as_bytes()).ok();
            ExitCode::from(code)
        }
    })
}

fn compile(mut arguments: impl Iterator<Item = OsString>) -> Result<(), Failed> {
    let mut number = || {
        let argument = arguments.next().and_then(|argument| argument.to_str()?.parse::<u64>().ok());
        argument.ok_or_else(|| Failed(NOT_CONFINED, format!("{ENTRY} is for nodes, which start it for each module")))
    };
    let (parent, memory, cpu) = (number()?, number()?, number()?);
    let confinement = Confinement {
        parent: u32::try_from(parent).unwrap_or(0),
        memory,
        cpu: Some(Duration::from_secs(cpu)),
        // It holds what it writes in memory first.
        file: memory,
        open_files: OPEN_FILES,
        niceness: NICENESS,
        makes_code: false,
        further_calls: &[],
    };
    confine(&confinement).map_err(|error| Failed(NOT_CONFINED, error.to_string()))?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::OutOfMemory => Failed(MEMORY, error.to_string()),
        _ => Failed(NOT_CONFINED, error.to_string()),
    };
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component).map_err(failed)?;
    let artifact = compiled(&component).map_err(|error| match error.is::<OutOfMemory>() {
        true => Failed(MEMORY, error.to_string()),
        false => Failed(INVALID, format!("{error:#}")),
    })?;
    io::stdout().lock().write_all(&artifact).and_then(|()| io::stdout().flush()).map_err(failed)
}

fn compiled(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    Engine::new(&EngineSettings::for_compiling().config())?.precompile_component(component)
}
