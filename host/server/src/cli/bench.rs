//! `mogbox bench`: reads what is to be measured and shows what came out.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Common;
use crate::bench::figures::short;
use crate::bench::{self, BenchSettings, Store};

/// Measure how fast this machine is with Mogbox.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox bench --module guest-bench.wasm                       everything, in a few minutes
  mogbox bench drain --module guest-bench.wasm --requests 50000 --nodes 2 --threads 1
  mogbox bench --module guest-bench.wasm --format lines        one figure a line, for scripts")]
pub(super) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum)]
    what: Vec<What>,
    /// The component whose task bench.noop is run, as `make bench` builds it.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// Where to keep everything; may be given several times.
    #[arg(long = "backend", value_enum, value_name = "NAME", default_values = ["redis"])]
    backends: Vec<BackendName>,
    /// Measure on this Redis in the place of one of the bench's own. Keys of others are left alone.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Requests of a drain.
    #[arg(long, value_name = "N", default_value = "20000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    requests: u32,
    /// Node processes; the embedded store serves one.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=64))]
    nodes: u32,
    /// Threads of each node.
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Requests run at once by each node.
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// How often each is measured; the median counts.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100))]
    repetitions: u32,
    /// How to show figures: a table, or one a line.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// What there is to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// A queue that is emptied.
    Drain,
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

impl BenchArgs {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (output, format) = (common.output(), self.format);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the bench")?;
        let figures = runtime.block_on(bench::run(&self.settings()))?;
        if output.is_json() {
            return output.json(&serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "figures": figures.all() }));
        }
        if format == Format::Lines {
            return Ok(figures.all().iter().try_for_each(|figure| output.line(&figure.line()))?);
        }
        let row = |figure: &bench::figures::Figure| {
            let spread = if figure.values.len() > 1 { figure.spread() } else { String::new() };
            vec![figure.subject.clone(), figure.metric.clone(), short(figure.median), figure.unit.to_owned(), spread]
        };
        Ok(output.table(&["subject", "metric", "value", "unit", ""], &figures.all().iter().map(row).collect::<Vec<_>>())?)
    }

    fn settings(&self) -> BenchSettings {
        let store = |name: &BackendName| match (name, &self.redis) {
            (BackendName::Embedded, _) => Store::Embedded,
            (_, Some(url)) => Store::Redis(url.clone()),
            (name, None) => Store::OwnRedis { append_only: *name == BackendName::RedisAof },
        };
        let length = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        BenchSettings {
            stores: self.backends.iter().map(store).collect(),
            module: self.module.clone(),
            requests: length(self.requests),
            nodes: length(self.nodes),
            threads: length(self.threads),
            concurrency: length(self.concurrency),
            repetitions: length(self.repetitions),
        }
    }
}
