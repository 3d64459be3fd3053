//! Measures the whole: nodes as child processes, stores as they are in use. Each measurement is a file of its own under `bench/`.

mod cost;
mod drain;
mod enqueue;
mod fairness;
pub(crate) mod figures;
mod ground;
mod guest;
mod latency;
mod memory;
mod node;
mod process;
mod recovery;
mod redis_server;
mod sustained;
mod usage;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::node::Signals;
use figures::{Figures, Row};
use ground::Site;
use guest::Guest;
use node::NodeOptions;
use redis_server::RedisServer;

/// The length of a lease where it does not matter.
const LEASE: Duration = Duration::from_secs(30);

/// What there is to measure, in the order in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// One request at a time.
    Latency,
    /// Submission.
    Enqueue,
    /// A queue that is emptied.
    Drain,
    /// Load at half of what a drain reached.
    Sustained,
    /// Idle nodes, and guests that wait.
    Memory,
    /// A node that is killed.
    Recovery,
    /// Tenants beside each other.
    Fairness,
    /// Cost against the number of tenants.
    Tenants,
    /// Cost against the length of the queue.
    Queue,
}

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
    const fn subject(&self) -> &'static str {
        match self {
            Self::Embedded => "mogbox_embedded",
            Self::OwnRedis { append_only: true } => "mogbox@aof",
            Self::OwnRedis { append_only: false } | Self::Redis(_) => "mogbox",
        }
    }

    async fn open(&self, guest: &Guest) -> anyhow::Result<Site> {
        match self {
            Self::Embedded => Ok(Site::embedded()),
            Self::OwnRedis { append_only } => {
                let server = RedisServer::start(*append_only).await?;
                Site::redis(&server.url.clone(), guest, Some(server)).await
            }
            Self::Redis(url) => Site::redis(url, guest, None).await,
        }
    }
}

/// What is to be measured, and how much of it.
pub(crate) struct BenchSettings {
    /// What.
    pub(crate) phases: Vec<Phase>,
    /// On what.
    pub(crate) stores: Vec<Store>,
    /// The component with the tasks to run.
    pub(crate) module: PathBuf,
    /// How often.
    pub(crate) repetitions: usize,
    /// Requests of a drain and of submission in bulk.
    pub(crate) requests: usize,
    /// Node processes where the store serves several.
    pub(crate) nodes: usize,
    /// Threads of each node, where they are not as many as the machine has to spare.
    pub(crate) threads: Option<usize>,
    /// Requests run at once by each node.
    pub(crate) concurrency: usize,
    /// Requests measured one at a time.
    pub(crate) samples: usize,
    /// How long load lasts.
    pub(crate) load_time: Duration,
    /// Guests that wait at the same time.
    pub(crate) waiting: usize,
    /// Numbers of tenants.
    pub(crate) tenants: Vec<usize>,
    /// Lengths of the queue.
    pub(crate) queues: Vec<usize>,
}

/// Measures, until it is done or a signal ends it. Whatever it started or stored is gone afterwards.
///
/// # Errors
/// Where a part cannot be started, or a request does not end as it should.
pub(crate) async fn run(settings: &BenchSettings) -> anyhow::Result<Figures> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let guest = tokio::select! {
        guest = Guest::load(&settings.module) => guest?,
        signal = signals.next() => return Err(stopped(signal)),
    };
    let mut figures = Figures::default();
    for store in &settings.stores {
        let site = store.open(&guest).await?;
        let bench = Bench { settings, site: &site, guest: &guest, subject: store.subject() };
        let measured = tokio::select! {
            measured = bench.measure(&mut figures) => measured,
            signal = signals.next() => Err(stopped(signal)),
        };
        let cleared = site.clear(&guest).await;
        measured.with_context(|| format!("{} was not measured", store.subject()))?;
        cleared.context("what the bench stored is not all removed")?;
    }
    Ok(figures)
}

fn stopped(signal: &str) -> anyhow::Error {
    anyhow!("stopped by {signal}")
}

/// Everything that a measurement needs.
struct Bench<'a> {
    settings: &'a BenchSettings,
    site: &'a Site,
    guest: &'a Guest,
    subject: &'static str,
}

impl Bench<'_> {
    async fn measure(&self, figures: &mut Figures) -> anyhow::Result<()> {
        for repetition in 1..=self.settings.repetitions {
            for phase in &self.settings.phases {
                self.tell(&format!("{} ({repetition} of {})", phase.title(), self.settings.repetitions));
                let rows = self.rows(*phase).await.with_context(|| phase.title())?;
                rows.iter().for_each(|row| figures.add(self.subject, row));
            }
        }
        Ok(())
    }

    async fn rows(&self, phase: Phase) -> anyhow::Result<Vec<Row>> {
        // Boxed: each of them is large, and one runs at a time.
        match phase {
            Phase::Latency => Box::pin(latency::run(self)).await,
            Phase::Enqueue => Box::pin(enqueue::run(self)).await,
            Phase::Drain => Box::pin(drain::run(self)).await,
            Phase::Sustained => Box::pin(sustained::run(self)).await,
            Phase::Memory => Box::pin(memory::run(self)).await,
            Phase::Recovery => Box::pin(recovery::run(self)).await,
            Phase::Fairness => Box::pin(fairness::run(self)).await,
            Phase::Tenants => Box::pin(cost::tenants(self)).await,
            Phase::Queue => Box::pin(cost::queue(self)).await,
        }
    }

    fn options(&self) -> NodeOptions {
        NodeOptions { threads: self.settings.threads.unwrap_or_else(|| self.spare()), concurrency: self.settings.concurrency, lease: LEASE }
    }

    /// Processors that are there for a node. A server that is always busy needs one, and loses time where a thread of a node takes it.
    fn spare(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        processors.saturating_sub(usize::from(self.site.has_server())).max(1)
    }

    /// Nodes that the store serves.
    const fn nodes(&self) -> usize {
        if self.site.is_embedded() { 1 } else { self.settings.nodes }
    }

    /// Says how far it is. Where standard error is closed there is nobody to tell.
    fn tell(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "# {}: {text}", self.subject);
    }
}

impl Phase {
    /// What people are told that it is.
    const fn title(self) -> &'static str {
        match self {
            Self::Latency => "one request at a time",
            Self::Enqueue => "submission",
            Self::Drain => "a queue that is emptied",
            Self::Sustained => "load at half of the capacity",
            Self::Memory => "memory, idle and with guests that wait",
            Self::Recovery => "a node that is killed",
            Self::Fairness => "tenants beside each other",
            Self::Tenants => "cost against the number of tenants",
            Self::Queue => "cost against the length of the queue",
        }
    }
}
