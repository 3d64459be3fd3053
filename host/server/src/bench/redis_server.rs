//! A Redis server of the bench's own, in a temporary folder with its socket; gone with the bench.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use mogbox_backends::redis::RedisConnection;
use tempfile::TempDir;
use tokio::process::Command;

use super::process::Process;

/// Time that the server gets to answer.
const START_TIME: Duration = Duration::from_secs(10);

/// A running server. Killed when dropped.
pub(super) struct RedisServer {
    pub(super) url: String,
    process: Process,
    _folder: TempDir,
}

impl RedisServer {
    /// Starts a server that keeps everything in memory, or also in a log that it writes to the disk once a second.
    pub(super) async fn start(append_only: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let socket = folder.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        // A socket of the file system is what clients on the same machine should use: it costs both sides less than one of the network.
        command.arg("--unixsocket").arg(&socket).args(["--port", "0"]);
        // Histograms of how long each command took cost a busy server a twentieth of its time.
        command.args(["--maxmemory-policy", "noeviction", "--save", "", "--latency-tracking", "no", "--loglevel", "warning"]);
        command.args(["--appendonly", if append_only { "yes" } else { "no" }, "--appendfsync", "everysec"]);
        command.arg("--dir").arg(folder.path()).stdout(std::process::Stdio::null());
        let process = Process::start(command, &folder.path().join("redis.log")).map_err(explain)?;
        let mut server = Self { url: format!("redis+unix://{}", socket.display()), process, _folder: folder };
        server.await_answer(&socket).await?;
        Ok(server)
    }

    async fn await_answer(&mut self, socket: &Path) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_TIME && !self.process.has_ended() {
            if tokio::net::UnixStream::connect(socket).await.is_ok() && RedisConnection::open(&self.url).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("redis-server does not answer at {}: give the address of one that runs with --redis URL", socket.display())
    }
}

fn explain(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "redis-server is not installed: install it (Debian: `apt-get install redis-server`, Homebrew: `brew install redis`), give the \
             address of one that runs with --redis URL, or measure without it by --backend embedded"
        ),
        _ => anyhow!(error).context("cannot start redis-server"),
    }
}
