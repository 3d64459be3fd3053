//! What a request costs, in processor time of nodes and Redis, as tenants or queues grow: a ratio to the smallest says whether it
//! stays the same. Processor time, as it hardly depends on what else the machine does.

use anyhow::Context as _;

use super::Bench;
use super::drain::Drain;
use super::figures::{Row, row};
use super::ground::{Ground, Ticket};
use super::node::Node;
use super::usage::{count, cpu_seconds, mebibytes, precise, resident};
use super::watch::Eye;

/// Part of the requests that go before the measurement begins.
const WARM_PART: usize = 10;

/// What one size costs.
struct Cost {
    /// Seconds of processor time of the node for each request.
    node: Option<f64>,
    /// The same of Redis.
    redis: Option<f64>,
    resident: Option<u64>,
    bytes: Option<f64>,
}

/// As many tenants, each with its part of the same queue.
pub(super) async fn tenants(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let mut costs = Vec::new();
    for number in &bench.settings.tenants {
        bench.tell(&format!("cost with {number} tenants"));
        let requests = bench.settings.requests.max(*number);
        costs.push((*number, measure(bench, *number, requests, requests).await?));
    }
    Ok(rows("tenants", &costs))
}

/// As many requests that wait, of which the first are measured.
pub(super) async fn queue(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let mut costs = Vec::new();
    for number in &bench.settings.queues {
        bench.tell(&format!("cost with {number} requests queued"));
        costs.push((*number, measure(bench, 1, *number, (*number).min(bench.settings.requests)).await?));
    }
    Ok(rows("queue", &costs))
}

fn rows(what: &str, costs: &[(usize, Cost)]) -> Vec<Row> {
    let total = |cost: &Cost| Some(cost.node? + cost.redis.unwrap_or_default());
    let first = costs.first().and_then(|(_, cost)| total(cost));
    let micros = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e6);
    let of = |(number, cost): &(usize, Cost)| {
        vec![
            row(format!("{what}_{number}_worker_cpu_per_task"), micros(cost.node), "us"),
            row(format!("{what}_{number}_redis_cpu_per_task"), micros(cost.redis), "us"),
            row(format!("{what}_{number}_cost_ratio"), total(cost).zip(first).map(|(cost, first)| cost / first), "x"),
            row(format!("{what}_{number}_rss"), cost.resident.map(mebibytes), "MiB"),
            row(format!("{what}_{number}_redis_bytes_queued"), cost.bytes, "B/task"),
        ]
    };
    costs.iter().flat_map(of).collect()
}

async fn measure(bench: &Bench<'_>, tenants: usize, queued: usize, measured: usize) -> anyhow::Result<Cost> {
    let ground = bench.site.ground()?;
    let cost = match ground.redis {
        Some(_) => on_redis(bench, &ground, tenants, queued, measured).await?,
        None => embedded(bench, &ground, tenants, queued, measured).await?,
    };
    ground.clear().await?;
    Ok(cost)
}

/// A store of the node's own is filled before that starts, and its first requests are left out.
async fn embedded(bench: &Bench<'_>, ground: &Ground, tenants: usize, queued: usize, measured: usize) -> anyhow::Result<Cost> {
    let options = bench.options();
    let drain =
        Drain { ground, guest: bench.guest, nodes: 1, options: &options, requests: queued, tenants, measured, warm: measured / WARM_PART };
    let drained = drain.run().await?;
    Ok(Cost { node: drained.node_cpu, redis: None, resident: drained.resident, bytes: None })
}

/// One warm node, held still while its queue is filled; as often as it takes to measure enough requests.
async fn on_redis(bench: &Bench<'_>, ground: &Ground, tenants: usize, queued: usize, measured: usize) -> anyhow::Result<Cost> {
    let node = ground.node(&bench.options()).await?;
    let redis = ground.redis.clone().context("no Redis to look at")?;
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, tenants).await?;
    let warm = ground.fill(&ports, bench.guest, 1, bench.settings.requests.div_ceil(WARM_PART)).await?;
    let eye = Eye::Redis(redis.clone());
    eye.until(&warm).await?;
    drop(ports);
    let (mut spent, mut done, mut bytes) = (Spent::default(), 0, None);
    while done < bench.settings.requests {
        node.process.hold().await?;
        let memory = redis.figures().await?.used_memory;
        let tickets = fill(bench, ground, tenants, queued).await?;
        bytes = Some((precise(redis.figures().await?.used_memory) - precise(memory)) / count(queued));
        let before = Spent::now(&node, &redis).await?;
        node.process.go_on().await?;
        let front = tickets.get(..measured).unwrap_or(&tickets);
        eye.until(front.get(front.len().saturating_sub(1)..).unwrap_or_default()).await.with_context(|| node.last_words())?;
        let beside = front.len().saturating_sub(2 * bench.settings.concurrency);
        eye.until(front.get(beside..).unwrap_or_default()).await?;
        spent = spent.plus(before, Spent::now(&node, &redis).await?);
        done += front.len();
    }
    let held = resident(&[node.process.pid()]);
    Ok(Cost { node: spent.node.map(|seconds| seconds / count(done)), redis: Some(spent.redis / count(done)), resident: held, bytes })
}

async fn fill(bench: &Bench<'_>, ground: &Ground, tenants: usize, queued: usize) -> anyhow::Result<Vec<Ticket>> {
    let ports = ground.open().await?;
    ground.fill(&ports, bench.guest, tenants, queued).await
}

/// Processor time so far.
#[derive(Clone, Copy)]
struct Spent {
    node: Option<f64>,
    redis: f64,
}

impl Default for Spent {
    fn default() -> Self {
        Self { node: Some(0.0), redis: 0.0 }
    }
}

impl Spent {
    async fn now(node: &Node, redis: &mogbox_backends::redis::RedisConnection) -> anyhow::Result<Self> {
        Ok(Self { node: cpu_seconds(&[node.process.pid()]), redis: redis.figures().await?.cpu_seconds })
    }

    fn plus(self, before: Self, after: Self) -> Self {
        let more = after.node.zip(before.node).map(|(after, before)| after - before);
        Self { node: self.node.zip(more).map(|(sum, more)| sum + more), redis: self.redis + after.redis - before.redis }
    }
}
