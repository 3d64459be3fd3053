//! A Redis server of the bench's own, on a free port and in a temporary folder; gone with the bench.

use std::io::ErrorKind;
use std::net::TcpListener;
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
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).context("no port is free")?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--maxmemory-policy", "noeviction", "--save", ""]);
        command.args(["--appendonly", if append_only { "yes" } else { "no" }, "--appendfsync", "everysec", "--loglevel", "warning"]);
        command.arg("--dir").arg(folder.path()).stdout(std::process::Stdio::null());
        let process = Process::start(command, &folder.path().join("redis.log")).map_err(explain)?;
        let mut server = Self { url: format!("redis://127.0.0.1:{port}"), process, _folder: folder };
        server.await_answer(port).await?;
        Ok(server)
    }

    async fn await_answer(&mut self, port: u16) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_TIME && !self.process.has_ended() {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() && RedisConnection::open(&self.url).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("redis-server does not answer on port {port}: give the address of one that runs with --redis URL")
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
