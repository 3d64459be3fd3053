//! Compiles components in a process of their own, as no compiler is safe from input that makes it take hours or all memory. This side
//! starts the process, gives it the component, and waits no longer than the bound; `child` is the other side.

pub(crate) mod child;
pub(crate) mod workshop;

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use mogbox_core::limits::{Bound, over_bound};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use self::child::Ended;
use crate::cache::NotCompiled;
use crate::trap::for_people;

/// Bytes of what the child says that are read.
const MAX_SAID: usize = 2 << 10;

/// Threads of one compilation; each takes memory of its own.
const MAX_THREADS: usize = 4;

/// The whole environment of the child. The first is for the allocator of the server's binary, which would otherwise take a gibibyte of
/// what the child may have at its start; the second, followed by the number, for the compiler's threads.
const ALLOCATOR: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");
const THREADS: &str = "RAYON_NUM_THREADS";

/// How modules are compiled outside this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerSettings {
    /// A program that calls [`crate::compile_child`] first of all, made from the same source as this one.
    pub program: PathBuf,
    /// How long one module may take ([`Bound::CompileTime`]).
    pub time: Duration,
    /// Memory that it may take ([`Bound::CompileMemory`]). Bytes.
    pub memory: u64,
}

impl CompilerSettings {
    /// Compiles into an empty file. Blocks, on a thread that must outlive the child: the child ends with it.
    pub(crate) fn compile(&self, component: &[u8], artifact: &File) -> Result<(), NotCompiled> {
        let broken = |error: std::io::Error| NotCompiled::Refused(format!("the compiler of modules cannot be run: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let ended = runtime.block_on(async {
            let mut child = self.start(artifact.try_clone().map_err(broken)?)?;
            let ended = tokio::time::timeout(self.time, feed(&mut child, component)).await;
            if ended.is_err() {
                child.kill().await.map_err(broken)?;
            }
            Ok(ended)
        })?;
        match ended {
            Ok(Ok((status, said))) => self.judge(status, &said),
            Ok(Err(error)) => Err(broken(error)),
            Err(_) => Err(self.too_slow()),
        }
    }

    fn start(&self, artifact: File) -> Result<Child, NotCompiled> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        // A second line: should this process fail to end the child in time, the system does.
        let cpu = self.time.as_secs().saturating_add(1).saturating_mul(threads as u64);
        let mut command = Command::new(&self.program);
        command.arg(child::ENTRY).args([std::process::id().into(), self.memory, cpu].map(|number: u64| number.to_string()));
        command.env_clear().env(ALLOCATOR.0, ALLOCATOR.1).env(THREADS, threads.to_string()).current_dir("/");
        command.stdin(Stdio::piped()).stdout(artifact).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        command.spawn().map_err(|error| {
            NotCompiled::Refused(format!("the compiler of modules, {}, cannot be started: {error}", self.program.display()))
        })
    }

    /// What the end of the child means. It may lie, at the worst about its own component.
    fn judge(&self, status: ExitStatus, said: &[u8]) -> Result<(), NotCompiled> {
        let text = for_people(String::from_utf8_lossy(said).trim(), MAX_SAID);
        let invalid = |text: String| Err(NotCompiled::Invalid(text));
        match Ended::of(status) {
            Ended::Well => Ok(()),
            Ended::Invalid => invalid(text),
            Ended::Time => Err(self.too_slow()),
            Ended::Memory => Err(self.too_large()),
            Ended::Aborted if text.contains(child::OUT_OF_MEMORY) => Err(self.too_large()),
            Ended::Aborted => invalid(format!("the compiler crashed on it ({status}): {text}")),
            Ended::Killed => Err(NotCompiled::Refused(format!("something ended the compiler of modules ({status}): {text}"))),
            Ended::Otherwise => {
                Err(NotCompiled::Refused(format!("the compiler of modules, {}, does not work ({status}): {text}", self.program.display())))
            }
        }
    }

    fn too_slow(&self) -> NotCompiled {
        let milliseconds = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        self.over(Bound::CompileTime, milliseconds)
    }

    fn too_large(&self) -> NotCompiled {
        self.over(Bound::CompileMemory, self.memory)
    }

    fn over(&self, bound: Bound, value: u64) -> NotCompiled {
        let limit = bound.unit().show(value);
        let what = if bound == Bound::CompileTime { "time" } else { "memory" };
        NotCompiled::Invalid(format!("it takes more than {limit} of {what} to compile, {}", over_bound(bound, &limit)))
    }
}

/// Gives the child the component, and waits for its end and what it says.
async fn feed(child: &mut Child, component: &[u8]) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let (stdin, stderr, mut said) = (child.stdin.take(), child.stderr.take(), Vec::new());
    let give = async {
        if let Some(mut stdin) = stdin {
            // A child that ends before it has read everything says why.
            stdin.write_all(component).await.ok();
        }
    };
    let hear = async {
        if let Some(stderr) = stderr {
            stderr.take(MAX_SAID as u64).read_to_end(&mut said).await.ok();
        }
    };
    let ((), (), status) = tokio::join!(give, hear, child.wait());
    Ok((status?, said))
}
