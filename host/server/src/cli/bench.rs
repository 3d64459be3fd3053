//! `mogbox bench`: reads what is to be measured and shows what came out.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Common;
use super::output::Output;
use super::values::parse_duration;
use crate::bench::figures::{Figure, Figures, short};
use crate::bench::{self, BenchSettings, Phase, Store};

/// Measure how fast this machine is with Mogbox.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox bench --module guest-bench.wasm                       everything, in a few minutes
  mogbox bench drain --module guest-bench.wasm --requests 50000 --nodes 2 --threads 1
  mogbox bench latency drain --module guest-bench.wasm --backend redis@aof --format lines
  mogbox bench --module guest-bench.wasm --full                also the largest sizes, in half an hour

`make bench` builds the module. Nodes run as processes of their own, on a Redis that is started for it
and in temporary folders; with --redis URL, under names of the bench's own, which are removed at the end.")]
pub(super) struct BenchArgs {
    /// What to measure; everything where nothing is named.
    #[arg(value_enum, value_name = "WHAT")]
    what: Vec<What>,
    /// The component whose task bench.noop is run, as `make bench` builds it.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// Where to keep everything; may be given several times.
    #[arg(long = "backend", value_enum, value_name = "NAME", default_values = ["embedded", "redis", "redis@aof"])]
    backends: Vec<BackendName>,
    /// Measure on this Redis in the place of one of the bench's own. Nothing of others is touched there.
    #[arg(long, value_name = "URL", conflicts_with = "backends")]
    redis: Option<String>,
    /// How often each is measured; the median counts.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100))]
    repetitions: u32,
    /// Requests of a drain and of submission in bulk.
    #[arg(long, value_name = "N", default_value = "20000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    requests: u32,
    /// Node processes of a drain and of lasting load; the embedded store serves one.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=64))]
    nodes: u32,
    /// Threads of each node; where absent, as many as there are processors, less one for a Redis of the bench's own.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Requests run at once by each node.
    #[arg(long, value_name = "N", default_value = "512", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// Requests measured one at a time.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    samples: u32,
    /// How long load lasts.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    load_time: Duration,
    /// Guests that wait for children at the same time; 1000, or 10000 with --full.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    waiting: Option<u32>,
    /// Numbers of tenants; 1,100, or 1,10,100,1000,10000 with --full.
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tenants: Vec<u32>,
    /// Lengths of the queue; 1000,100000, or 1000,10000,100000,1000000 with --full.
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    queues: Vec<u32>,
    /// Measure the largest sizes as well, where none are given.
    #[arg(long)]
    full: bool,
    /// How to show figures: a table, or one a line as the benches of other task queues do.
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true, default_value = "table")]
    format: Format,
}

/// What there is to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// One request at a time, through the library and through the API.
    Latency,
    /// Submission, one by one and in bulk.
    Enqueue,
    /// A queue that is emptied.
    Drain,
    /// Load at half of what a drain reached.
    Sustained,
    /// Idle nodes, and guests that wait for children.
    Memory,
    /// A node that is killed.
    Recovery,
    /// Tenants beside each other: a quiet one beside a backlog, and shares by weight.
    Fairness,
    /// Cost against the number of tenants.
    Tenants,
    /// Cost against the length of the queue.
    Queue,
}

impl What {
    const fn phase(self) -> Phase {
        match self {
            Self::Latency => Phase::Latency,
            Self::Enqueue => Phase::Enqueue,
            Self::Drain => Phase::Drain,
            Self::Sustained => Phase::Sustained,
            Self::Memory => Phase::Memory,
            Self::Recovery => Phase::Recovery,
            Self::Fairness => Phase::Fairness,
            Self::Tenants => Phase::Tenants,
            Self::Queue => Phase::Queue,
        }
    }
}

/// Where everything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackendName {
    /// A folder.
    Embedded,
    /// A Redis in memory.
    Redis,
    /// A Redis that writes its log every second.
    #[value(name = "redis@aof")]
    RedisAof,
}

/// How figures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// One a line: subject, metric, value, unit.
    Lines,
}

/// What a run without --full is content with, and what one with it measures.
const WAITING: [usize; 2] = [1_000, 10_000];
const TENANTS: [&[usize]; 2] = [&[1, 100], &[1, 10, 100, 1_000, 10_000]];
const QUEUES: [&[usize]; 2] = [&[1_000, 100_000], &[1_000, 10_000, 100_000, 1_000_000]];

/// Time that what still runs gets when the bench is stopped.
const LAST_THREADS: Duration = Duration::from_secs(1);

impl BenchArgs {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the bench")?;
        let measured = runtime.block_on(bench::run(&self.settings()));
        runtime.shutdown_timeout(LAST_THREADS);
        self.show(&measured?, &common.output())
    }

    fn show(&self, figures: &Figures, output: &Output) -> anyhow::Result<()> {
        if output.is_json() {
            return output.json(&serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "figures": figures.all() }));
        }
        if self.format == Format::Lines {
            return Ok(figures.all().iter().try_for_each(|figure| output.line(&figure.line()))?);
        }
        let row = |figure: &Figure| {
            let spread = if figure.values.len() > 1 { figure.spread() } else { String::new() };
            vec![figure.subject.clone(), figure.metric.clone(), short(figure.median), figure.unit.to_owned(), spread]
        };
        Ok(output.table(&["subject", "metric", "value", "unit", ""], &figures.all().iter().map(row).collect::<Vec<_>>())?)
    }

    fn settings(&self) -> BenchSettings {
        let what = if self.what.is_empty() { What::value_variants() } else { &self.what };
        let [few, many] = WAITING;
        BenchSettings {
            phases: what.iter().map(|what| what.phase()).collect(),
            stores: self.stores(),
            module: self.module.clone(),
            repetitions: length(self.repetitions),
            requests: length(self.requests),
            nodes: length(self.nodes),
            threads: self.threads.map(length),
            concurrency: length(self.concurrency),
            samples: length(self.samples),
            load_time: self.load_time,
            waiting: self.waiting.map_or(if self.full { many } else { few }, length),
            tenants: self.sizes(&self.tenants, TENANTS),
            queues: self.sizes(&self.queues, QUEUES),
        }
    }

    fn stores(&self) -> Vec<Store> {
        let store = |name: &BackendName| match name {
            BackendName::Embedded => Store::Embedded,
            BackendName::Redis => Store::OwnRedis { append_only: false },
            BackendName::RedisAof => Store::OwnRedis { append_only: true },
        };
        self.redis.clone().map_or_else(|| self.backends.iter().map(store).collect(), |url| vec![Store::Redis(url)])
    }

    fn sizes(&self, given: &[u32], [few, many]: [&[usize]; 2]) -> Vec<usize> {
        match (given, self.full) {
            ([], false) => few.to_vec(),
            ([], true) => many.to_vec(),
            _ => given.iter().copied().map(length).collect(),
        }
    }
}

fn length(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
