//! Nodes as child processes of the same binary: what is measured is what serves.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::process::Process;
use crate::node::Backend;

/// Time that a node gets until it is ready.
const START_TIME: Duration = Duration::from_secs(60);

/// Lines of its log that are shown where a node fails.
const SHOWN_LINES: usize = 5;

/// How nodes are started.
#[derive(Clone)]
pub(super) struct NodeOptions {
    /// Threads that run requests.
    pub(super) threads: usize,
    /// Requests run at once by each.
    pub(super) concurrency: usize,
    /// Length of a lease.
    pub(super) lease: Duration,
}

impl NodeOptions {
    /// A node that has little to do.
    pub(super) const fn small() -> Self {
        Self { threads: 1, concurrency: 1, lease: Duration::from_secs(30) }
    }
}

/// A running node. Killed when dropped.
pub(super) struct Node {
    pub(super) url: String,
    pub(super) process: Process,
    log: PathBuf,
}

impl Node {
    /// Starts a node that serves one queue, and waits until it is ready. Its log goes into `folder`.
    pub(super) async fn start(backend: &Backend, queue: &str, options: &NodeOptions, folder: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let mut command = Command::new(program);
        // Where all that is measured is one tenant's, it may use all of the node.
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--limit", "tenant-memory=100%", "--queue", queue]);
        command.arg("--concurrency");
        command.arg(options.concurrency.to_string()).arg("--lease").arg(format!("{}ms", options.lease.as_millis()));
        command.env_remove("MOGBOX_REDIS").env_remove("MOGBOX_LOG").env("TOKIO_WORKER_THREADS", options.threads.to_string());
        match backend {
            Backend::Redis(url) => command.arg("--redis").arg(url),
            Backend::Embedded(data) => command.arg("--data").arg(data),
            Backend::RabbitMq(source) => {
                let apps = source.apps.iter().flat_map(|app| ["--app", app.as_str()]);
                command.args(["--redis", &source.redis, "--amqp", &source.url]).args(apps)
            }
        };
        let log = folder.join(format!("node-{}.log", mogbox_core::RequestId::random()));
        command.stdout(Stdio::piped());
        let process = Process::start(command, &log).context("cannot start a node")?;
        let mut node = Self { url: String::new(), process, log };
        node.url =
            tokio::time::timeout(START_TIME, node.read_address()).await.unwrap_or_else(|_| Err(anyhow!("it does not become ready")))?;
        Ok(node)
    }

    async fn read_address(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        BufReader::new(self.process.output()?).read_line(&mut line).await?;
        match line.split_whitespace().find(|word| word.starts_with("http://")) {
            Some(url) => Ok(url.to_owned()),
            None => bail!("a node did not start: {}", self.last_words()),
        }
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)).copied().collect::<Vec<_>>().join("\n")
    }
}
