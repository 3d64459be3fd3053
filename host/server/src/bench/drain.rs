//! A queue that is emptied: requests wait before any node runs, then nodes start; measured from the first stored result to the last.

use std::time::Instant;

use anyhow::{Context as _, bail};
use mogbox_core::State;

use super::Bench;
use super::figures::{Row, row};
use super::ground::{Ground, Ticket};
use super::guest::Guest;
use super::node::{Node, NodeOptions};
use super::usage::{count, cpu_seconds, mebibytes, precise, resident};
use super::watch::Eye;

/// Requests counted at once.
const WINDOW: usize = 500;

/// Looks at what the nodes hold, evenly over the queue.
const CHECKPOINTS: usize = 20;

/// What is to be emptied, and by whom.
pub(super) struct Drain<'a> {
    pub(super) ground: &'a Ground,
    pub(super) guest: &'a Guest,
    pub(super) nodes: usize,
    pub(super) options: &'a NodeOptions,
    pub(super) requests: usize,
    pub(super) tenants: usize,
    /// How many are measured, from the front of the queue; the rest only waits.
    pub(super) measured: usize,
    /// How many of these go before the measurement begins; a node that has just started is slower.
    pub(super) warm: usize,
}

/// A moment of a drain.
struct Sample {
    at: Instant,
    done: usize,
    nodes: Option<f64>,
    redis: Option<f64>,
}

/// What a drain cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drained {
    pub(super) per_second: Option<f64>,
    pub(super) per_second_with_start: f64,
    /// Seconds of processor time of all nodes for each request.
    pub(super) node_cpu: Option<f64>,
    /// The same of Redis.
    pub(super) redis_cpu: Option<f64>,
    /// The most that the nodes held, in bytes.
    pub(super) resident: Option<u64>,
    /// Bytes of Redis for each request that waits.
    pub(super) bytes_queued: Option<f64>,
    /// Bytes of Redis for each request that is done.
    pub(super) bytes_done: Option<f64>,
}

impl Drain<'_> {
    /// Fills the queue, empties it, and checks that every request that was measured went well.
    pub(super) async fn run(&self) -> anyhow::Result<Drained> {
        let ports = self.ground.open().await?;
        self.ground.push(&ports, self.guest, self.tenants).await?;
        let before = self.memory().await?;
        let tickets = self.ground.fill(&ports, self.guest, self.tenants, self.requests).await.context("cannot fill the queue")?;
        drop(ports);
        let queued = self.memory().await?;
        let measured = tickets.get(..self.measured).unwrap_or(&tickets);
        let mut drained = self.empty(measured).await?;
        drained.bytes_queued = growth(before, queued, self.requests);
        drained.bytes_done = growth(before, self.memory().await?, self.requests).filter(|_| self.measured >= self.requests);
        self.check(measured).await?;
        Ok(drained)
    }

    async fn empty(&self, tickets: &[Ticket]) -> anyhow::Result<Drained> {
        let spawned = Instant::now();
        let mut nodes = Vec::new();
        for _ in 0..self.nodes {
            nodes.push(self.ground.node(self.options).await?);
        }
        let measured = self.measure(tickets, &nodes).await.with_context(|| words(&nodes))?;
        for node in nodes {
            node.process.stop().await?;
        }
        let (first, last, resident) = measured;
        let requests = count(last.done - first.done);
        // Of so few that they were done at the first look there is no rate.
        let per_request = |from: Option<f64>, to: Option<f64>| Some((to? - from?) / requests).filter(|_| requests > 0.0);
        Ok(Drained {
            per_second: (requests > 0.0).then(|| requests / (last.at - first.at).as_secs_f64()),
            per_second_with_start: count(last.done) / (last.at - spawned).as_secs_f64(),
            node_cpu: per_request(first.nodes, last.nodes),
            redis_cpu: per_request(first.redis, last.redis),
            resident,
            bytes_queued: None,
            bytes_done: None,
        })
    }

    async fn measure(&self, tickets: &[Ticket], nodes: &[Node]) -> anyhow::Result<(Sample, Sample, Option<u64>)> {
        let pids: Vec<u32> = nodes.iter().map(|node| node.process.pid()).collect();
        let eye = self.eye(nodes)?;
        let mut most = None;
        eye.until(tickets.get(self.warm..=self.warm).unwrap_or(tickets)).await?;
        let after = tickets.get(self.warm..).unwrap_or_default();
        let done = match eye {
            Eye::Node(..) => eye.about_done(after).await?,
            _ => eye.done(after.get(..WINDOW).unwrap_or(after)).await?,
        };
        let done = self.warm + done;
        let first = self.sample(&pids, done).await?;
        for part in 1..=CHECKPOINTS {
            let place = tickets.len() * part / CHECKPOINTS;
            eye.until(tickets.get(place.saturating_sub(1)..place).unwrap_or_default()).await?;
            most = most.max(resident(&pids));
        }
        // Those before the last one that were handed out beside it. Through a node, so many looks take longer than they did.
        let beside = WINDOW.max(2 * self.nodes * self.options.concurrency);
        let beside = tickets.get(tickets.len().saturating_sub(beside)..).unwrap_or(tickets);
        if matches!(eye, Eye::Node(..)) {
            let last = self.sample(&pids, tickets.len()).await?;
            eye.until(beside).await?;
            return Ok((first, last, most));
        }
        eye.until(beside).await?;
        Ok((first, self.sample(&pids, tickets.len()).await?, most))
    }

    fn eye(&self, nodes: &[Node]) -> anyhow::Result<Eye> {
        match (&self.ground.redis, nodes) {
            (Some(redis), _) => Ok(Eye::Redis(redis.clone())),
            (None, [node]) => Ok(Eye::node(node)),
            (None, _) => bail!("the embedded store serves one node, not {}", nodes.len()),
        }
    }

    async fn sample(&self, pids: &[u32], done: usize) -> anyhow::Result<Sample> {
        let at = Instant::now();
        let redis = match &self.ground.redis {
            Some(redis) => Some(redis.figures().await?.cpu_seconds),
            None => None,
        };
        Ok(Sample { at, done, nodes: cpu_seconds(pids), redis })
    }

    async fn memory(&self) -> anyhow::Result<Option<u64>> {
        match &self.ground.redis {
            Some(redis) => Ok(Some(redis.figures().await?.used_memory)),
            None => Ok(None),
        }
    }

    /// A figure of requests that did not do what they were meant to do is none.
    async fn check(&self, tickets: &[Ticket]) -> anyhow::Result<()> {
        let ports = self.ground.open().await?;
        for chunk in tickets.chunks(WINDOW) {
            let reads = chunk.chunk_by(|one, other| one.tenant == other.tenant).filter_map(|group| {
                let (tenant, ids) = (&group.first()?.tenant, group.iter().map(|ticket| ticket.id).collect::<Vec<_>>());
                let results = &ports.results;
                Some(async move { results.read(tenant, &ids).await })
            });
            for results in futures::future::join_all(reads).await {
                if let Some(result) = results?.into_iter().flatten().find(|result| result.state != State::Success) {
                    bail!("request {} is {} where it should be SUCCESS", result.id, result.state);
                }
            }
        }
        Ok(())
    }
}

impl Drained {
    /// Its figures, under the names that the benches of other task queues give them.
    pub(super) fn rows(&self) -> Vec<Row> {
        let micros = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e6);
        vec![
            row("throughput", self.per_second, "tasks/s"),
            row("throughput_with_start", Some(self.per_second_with_start), "tasks/s"),
            row("worker_cpu_per_task", micros(self.node_cpu), "us"),
            row("redis_cpu_per_task", micros(self.redis_cpu), "us"),
            row("load_rss", self.resident.map(mebibytes), "MiB"),
            row("redis_bytes_queued", self.bytes_queued, "B/task"),
            row("redis_bytes_done", self.bytes_done, "B/task"),
        ]
    }
}

/// Empties a queue with the nodes that were asked for.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    Ok(measure(bench).await?.rows())
}

/// As [`run`], for whoever needs a single figure of it.
pub(super) async fn measure(bench: &Bench<'_>) -> anyhow::Result<Drained> {
    let (ground, options, requests) = (bench.site.ground()?, bench.options(), bench.settings.requests);
    let (guest, nodes) = (bench.guest, bench.nodes());
    let drain = Drain { ground: &ground, guest, nodes, options: &options, requests, tenants: 1, measured: requests, warm: 0 };
    let drained = drain.run().await?;
    ground.clear().await?;
    Ok(drained)
}

fn growth(before: Option<u64>, after: Option<u64>, requests: usize) -> Option<f64> {
    Some((precise(after?) - precise(before?)) / count(requests))
}

/// What the nodes said last, for an error.
fn words(nodes: &[Node]) -> String {
    let said: Vec<String> = nodes.iter().map(Node::last_words).filter(|words| !words.is_empty()).collect();
    if said.is_empty() { "the drain failed".to_owned() } else { format!("the drain failed; the nodes said: {}", said.join("\n")) }
}
