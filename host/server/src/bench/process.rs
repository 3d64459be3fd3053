//! Processes that the bench starts: each ends with the bench, however that ends.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::process::{Child, Command};

/// Time that a process gets to end when it is asked to.
const STOP_TIME: Duration = Duration::from_secs(15);

/// A running process. Killed when dropped.
pub(super) struct Process {
    child: Child,
    pid: u32,
    /// A shell that kills the process once the bench is gone: its standard input closes then.
    _watcher: Child,
}

impl Process {
    /// Starts a program that reads nothing and logs to a file. In a group of its own: Ctrl-C is for the bench, which then ends it.
    pub(super) fn start(mut command: Command, log: &Path) -> std::io::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stderr(log).process_group(0).kill_on_drop(true).spawn()?;
        // Of a child that nobody waited for yet there is always an id.
        let pid = child.id().unwrap_or_default();
        let mut watcher = Command::new("sh");
        watcher.args(["-c", &format!("cat; kill -9 {pid}")]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = watcher.process_group(0).kill_on_drop(true).spawn()?;
        Ok(Self { child, pid, _watcher: watcher })
    }

    /// Its id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its standard output, once.
    pub(super) fn output(&mut self) -> anyhow::Result<tokio::process::ChildStdout> {
        self.child.stdout.take().ok_or_else(|| anyhow!("the output of process {} is not there", self.pid))
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Holds it still, until it is told to go on.
    pub(super) async fn hold(&self) -> anyhow::Result<()> {
        self.signal("-STOP").await
    }

    /// Lets it go on.
    pub(super) async fn go_on(&self) -> anyhow::Result<()> {
        self.signal("-CONT").await
    }

    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([signal, &self.pid.to_string()]).status().await.context("cannot run `kill`")?;
        if sent.success() { Ok(()) } else { Err(anyhow!("cannot send {signal} to process {}", self.pid)) }
    }

    /// Asks it to stop, and kills it where it does not.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.signal("-TERM").await?;
        if tokio::time::timeout(STOP_TIME, self.child.wait()).await.is_err() {
            self.kill().await?;
        }
        Ok(())
    }

    /// Kills it as a failing machine would, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill process {}", self.pid))
    }
}
