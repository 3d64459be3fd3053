//! Measures the whole: nodes as child processes, stores as they are in use. Each measurement is a file of its own under `bench/`.

mod drain;
pub(crate) mod figures;
mod ground;
mod guest;
mod node;
mod process;
mod redis_server;
mod usage;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::node::Signals;
use drain::Drain;
use figures::Figures;
use ground::Site;
use guest::Guest;
use node::NodeOptions;
use redis_server::RedisServer;

/// Where everything is kept that is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// A folder, one node.
    Embedded,
    /// A Redis of the bench's own; with its log on the disk, written every second, or without.
    OwnRedis {
        /// Whether it keeps a log.
        append_only: bool,
    },
    /// A Redis that runs already.
    Redis(String),
}

impl Store {
    /// What figures on it are called.
    fn subject(&self) -> &'static str {
        match self {
            Self::Embedded => "mogbox_embedded",
            Self::OwnRedis { append_only: true } => "mogbox@aof",
            Self::OwnRedis { append_only: false } | Self::Redis(_) => "mogbox",
        }
    }

    async fn open(&self) -> anyhow::Result<Site> {
        match self {
            Self::Embedded => Ok(Site::Embedded),
            Self::OwnRedis { append_only } => {
                let server = RedisServer::start(*append_only).await?;
                Ok(Site::Redis { url: server.url.clone(), _server: Some(Box::new(server)) })
            }
            Self::Redis(url) => Ok(Site::Redis { url: url.clone(), _server: None }),
        }
    }
}

/// What is to be measured.
pub(crate) struct BenchSettings {
    pub(crate) stores: Vec<Store>,
    /// The component with the tasks to run.
    pub(crate) module: PathBuf,
    pub(crate) requests: usize,
    pub(crate) nodes: usize,
    pub(crate) threads: usize,
    pub(crate) concurrency: usize,
    pub(crate) repetitions: usize,
}

/// Measures, until it is done or a signal ends it. Whatever it started is gone afterwards.
///
/// # Errors
/// Where a part cannot be started, or a request does not end as it should.
pub(crate) async fn run(settings: &BenchSettings) -> anyhow::Result<Figures> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let guest = Guest::load(&settings.module).await?;
    let mut figures = Figures::default();
    for store in &settings.stores {
        let site = store.open().await?;
        for _ in 0..settings.repetitions {
            let ground = site.ground().await?;
            let options = NodeOptions { threads: settings.threads, concurrency: settings.concurrency, lease: Duration::from_secs(30) };
            let drain = Drain {
                ground: &ground,
                guest: &guest,
                nodes: if *store == Store::Embedded { 1 } else { settings.nodes },
                options: &options,
                requests: settings.requests,
                tenants: 1,
                measured: settings.requests,
            };
            tell(&format!("{}: drain of {} requests", store.subject(), settings.requests));
            let drained = tokio::select! {
                drained = drain.run() => drained,
                signal = signals.next() => Err(anyhow::anyhow!("stopped by {signal}")),
            };
            ground.clear().await?;
            drained?.record(&mut figures, store.subject());
        }
    }
    if figures.all().is_empty() {
        bail!("nothing was measured");
    }
    Ok(figures)
}

/// Says how far it is. Where standard error is closed there is nobody to tell.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "# {text}");
}
