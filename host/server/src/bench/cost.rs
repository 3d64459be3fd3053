//! What a request costs, in processor time of nodes and Redis, as tenants or queues grow: a ratio to the smallest says whether it
//! stays the same. Processor time, as it hardly depends on what else the machine does.

use anyhow::Context as _;
use mogbox_backends::redis::RedisConnection;

use super::Bench;
use super::drain::Drain;
use super::figures::{Row, row};
use super::ground::{Ground, Ticket};
use super::node::Node;
use super::usage::{count, cpu_seconds, mebibytes, precise, resident};
use super::watch::Eye;

/// Part of the requests that go before the measurement begins.
const WARM_PART: usize = 10;

/// Requests that are queued at least, however few tenants there are.
const LEAST_QUEUED: usize = 1_000;

/// How often each number of tenants is measured, one after the other.
const TURNS: usize = 3;

/// What one size costs.
struct Cost {
    /// Seconds of processor time of the node for each request.
    node: Option<f64>,
    /// The same of Redis.
    redis: Option<f64>,
    resident: Option<u64>,
    bytes: Option<f64>,
}

/// As many tenants, which share a queue. On Redis in turns, so that a machine that is slower for a while is so for all of them.
pub(super) async fn tenants(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let sizes = bench.settings.tenants.iter().map(|number| (*number, Size::of_tenants(*number)));
    let mut costs = Vec::new();
    if bench.site.is_embedded() {
        for (number, size) in sizes {
            bench.tell(&format!("cost with {number} tenants"));
            costs.push((number, measure(bench, size).await?));
        }
        return Ok(rows("tenants", &costs));
    }
    let mut subjects = Vec::new();
    for (number, size) in sizes {
        subjects.push((number, Subject::start(bench, size).await?));
    }
    for turn in 1..=TURNS {
        bench.tell(&format!("cost with {:?} tenants, {turn} of {TURNS} turns", bench.settings.tenants));
        for (_, subject) in &mut subjects {
            subject.turn(bench).await?;
        }
    }
    for (number, subject) in subjects {
        costs.push((number, subject.end().await?));
    }
    Ok(rows("tenants", &costs))
}

/// As many requests that wait, of which the first are measured.
pub(super) async fn queue(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let mut costs = Vec::new();
    for number in &bench.settings.queues {
        bench.tell(&format!("cost with {number} requests queued"));
        let measured = (*number).min(bench.settings.requests);
        costs.push((*number, measure(bench, Size { tenants: 1, queued: *number, measured }).await?));
    }
    Ok(rows("queue", &costs))
}

/// What is measured.
#[derive(Clone, Copy)]
struct Size {
    tenants: usize,
    queued: usize,
    /// How many of these are measured, the first.
    measured: usize,
}

impl Size {
    /// Two requests each, and at least as many as a node that begins anew needs to be busy.
    fn of_tenants(tenants: usize) -> Self {
        let queued = (2 * tenants).max(LEAST_QUEUED);
        Self { tenants, queued, measured: queued }
    }
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

async fn measure(bench: &Bench<'_>, size: Size) -> anyhow::Result<Cost> {
    if bench.site.is_embedded() {
        return embedded(bench, size).await;
    }
    let mut subject = Subject::start(bench, size).await?;
    subject.turn(bench).await?;
    subject.end().await
}

/// A store of the node's own is filled before that starts, and its first requests are left out.
async fn embedded(bench: &Bench<'_>, size: Size) -> anyhow::Result<Cost> {
    let (ground, options) = (bench.site.ground()?, bench.options());
    let (requests, measured) = (size.queued.max(bench.settings.requests), size.measured.max(bench.settings.requests));
    let (tenants, warm) = (size.tenants, measured / WARM_PART);
    let drain = Drain { ground: &ground, guest: bench.guest, nodes: 1, options: &options, requests, tenants, measured, warm };
    let drained = drain.run().await?;
    Ok(Cost { node: drained.node_cpu, redis: None, resident: drained.resident, bytes: None })
}

/// A warm node on Redis, held still except when it is measured.
struct Subject {
    size: Size,
    ground: Ground,
    node: Node,
    redis: RedisConnection,
    spent: Spent,
    done: usize,
    bytes: Option<f64>,
}

impl Subject {
    async fn start(bench: &Bench<'_>, size: Size) -> anyhow::Result<Self> {
        let ground = bench.site.ground()?;
        let redis = ground.redis.clone().context("no Redis to look at")?;
        let node = ground.node(&bench.options()).await?;
        let ports = ground.open().await?;
        ground.push(&ports, bench.guest, size.tenants).await?;
        let warm = ground.fill(&ports, bench.guest, 1, bench.settings.requests.div_ceil(WARM_PART)).await?;
        Eye::Redis(redis.clone()).until(&warm).await?;
        node.process.hold().await?;
        Ok(Self { size, ground, node, redis, spent: Spent::default(), done: 0, bytes: None })
    }

    /// Fills the queue and lets the node empty it, as often as it takes to measure enough requests.
    async fn turn(&mut self, bench: &Bench<'_>) -> anyhow::Result<()> {
        let enough = self.done + bench.settings.requests;
        while self.done < enough {
            let memory = self.redis.figures().await?.used_memory;
            let ports = self.ground.open().await?;
            let tickets = self.ground.fill(&ports, bench.guest, self.size.tenants, self.size.queued).await?;
            self.bytes = Some((precise(self.redis.figures().await?.used_memory) - precise(memory)) / count(self.size.queued));
            let front = tickets.get(..self.size.measured).unwrap_or(&tickets);
            let before = Spent::now(&self.node, &self.redis).await?;
            self.node.process.go_on().await?;
            self.drained(front, 2 * bench.settings.concurrency).await.with_context(|| self.node.last_words())?;
            self.spent = self.spent.plus(before, Spent::now(&self.node, &self.redis).await?);
            self.node.process.hold().await?;
            self.done += front.len();
        }
        Ok(())
    }

    /// Waits for the last of these, then for those that may run beside it: one look at many costs the server more.
    async fn drained(&self, front: &[Ticket], beside: usize) -> anyhow::Result<()> {
        let eye = Eye::Redis(self.redis.clone());
        for last in [1, beside] {
            eye.until(front.get(front.len().saturating_sub(last)..).unwrap_or_default()).await?;
        }
        Ok(())
    }

    async fn end(self) -> anyhow::Result<Cost> {
        let (node, redis) = (self.spent.node.map(|seconds| seconds / count(self.done)), self.spent.redis / count(self.done));
        let resident = resident(&[self.node.process.pid()]);
        drop(self.node);
        self.ground.clear().await?;
        Ok(Cost { node, redis: Some(redis), resident, bytes: self.bytes })
    }
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
    async fn now(node: &Node, redis: &RedisConnection) -> anyhow::Result<Self> {
        Ok(Self { node: cpu_seconds(&[node.process.pid()]), redis: redis.figures().await?.cpu_seconds })
    }

    fn plus(self, before: Self, after: Self) -> Self {
        let more = after.node.zip(before.node).map(|(after, before)| after - before);
        Self { node: self.node.zip(more).map(|(sum, more)| sum + more), redis: self.redis + after.redis - before.redis }
    }
}
