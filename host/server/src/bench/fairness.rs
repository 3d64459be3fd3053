//! Tenants beside each other: how long one that sends ten requests a second waits while another has a backlog, and how a busy queue is
//! shared between tenants of several weights.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use mogbox_core::{Json, Request, Share, Tenant, TenantRecord};
use tokio::task::JoinSet;

use super::Bench;
use super::figures::{Row, quantile, row};
use super::ground::{Ground, submitter};
use super::latency::Caller;
use super::node::{Node, NodeOptions};
use super::usage::count;
use crate::api::types::QueueList;
use crate::cli::client::Client;
use crate::node::Backends;

/// The backlog of the tenant that floods the queue, in requests of a drain: 100,000 where nothing else is said.
const BACKLOG: usize = 5;

/// Between two requests of the quiet tenant.
const EVERY: Duration = Duration::from_millis(100);

/// Rounds of computing of each request in the backlog: some milliseconds.
const ROUNDS: usize = 4_000_000;

/// Requests run at once: as many as a node with two processors has by default.
const PLACES: usize = 128;

/// Weights that tenants have in turn.
const WEIGHTS: [u32; 3] = [1, 2, 4];

/// The most tenants that share a queue, and the requests of a drain for each of them.
const MOST_TENANTS: usize = 2_000;
const REQUESTS_PER_TENANT: usize = 10;

/// Requests of each tenant: of fewer, that each tenant's share is a whole number of requests would show.
const LEAST_EACH: usize = 96;

/// Between two looks at what is left.
const LOOKS: Duration = Duration::from_millis(2);

/// Requests submitted in one call.
const FILL_BATCH: usize = 500;

/// Measures both.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let mut rows = beside(bench).await?;
    let many = (bench.settings.requests / REQUESTS_PER_TENANT).clamp(2 * WEIGHTS.len(), MOST_TENANTS);
    for tenants in [WEIGHTS.len(), many] {
        bench.tell(&format!("shares of {tenants} tenants"));
        rows.extend(weights(bench, tenants).await?);
    }
    Ok(rows)
}

fn options(bench: &Bench<'_>) -> NodeOptions {
    NodeOptions { concurrency: PLACES, ..bench.options() }
}

/// The quiet tenant alone, then beside the backlog.
async fn beside(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let Some(compute) = &bench.guest.compute else { return Ok(Vec::new()) };
    let heavy = |ground: &Ground| Request {
        args: vec![Json::parse(&ROUNDS.to_string(), 100).unwrap_or_else(|_| Json::null())],
        ..ground.request(compute)
    };
    let ground = bench.site.ground()?;
    let (flood, quiet) = (ground.tenant(0)?, ground.tenant(1)?);
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, 2).await?;
    drop(ports);
    let node = ground.node(&options(bench)).await?;
    let (loud, caller) = (Caller::http(&node.url, flood.clone())?, Caller::http(&node.url, quiet)?);
    let mut attempt = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        loud.run(heavy(&ground)).await?;
        attempt.push(started.elapsed());
    }
    let mut alone = sent_steadily(bench, &ground, &caller).await?;
    node.process.stop().await?;
    let ports = ground.open().await?;
    let queued = submitter(&ports);
    let backlog = BACKLOG * bench.settings.requests;
    for start in (0..backlog).step_by(FILL_BATCH) {
        let requests = (start..backlog.min(start + FILL_BATCH)).map(|_| heavy(&ground)).collect();
        queued.submit_all(&flood, requests, Duration::ZERO).await?;
    }
    drop((queued, ports));
    bench.tell(&format!("ten requests a second beside a backlog of {backlog}"));
    let node = ground.node(&options(bench)).await?;
    let caller = Caller::http(&node.url, ground.tenant(1)?)?;
    let mut loaded = sent_steadily(bench, &ground, &caller).await?;
    node.process.stop().await?;
    ground.clear().await?;
    let attempt = quantile(&mut attempt, 0.5).zip(quantile(&mut alone.clone(), 0.5)).map(|(heavy, light)| (heavy - light).max(0.0));
    let (p99, beside_p99) = (quantile(&mut alone.clone(), 0.99), quantile(&mut loaded.clone(), 0.99));
    let allowed = p99.zip(attempt).map(|(p99, attempt)| 1.2 * p99 + attempt);
    Ok(vec![
        row("quiet_alone_p50", quantile(&mut alone, 0.5), "ms"),
        row("quiet_alone_p99", p99, "ms"),
        row("quiet_beside_p50", quantile(&mut loaded, 0.5), "ms"),
        row("quiet_beside_p99", beside_p99, "ms"),
        row("backlog_attempt", attempt, "ms"),
        row("quiet_beside_of_allowed", beside_p99.zip(allowed).map(|(beside, allowed)| beside / allowed), "x"),
    ])
}

/// Requests that come ten a second, whether or not earlier ones are done; how long each takes.
async fn sent_steadily(bench: &Bench<'_>, ground: &Ground, caller: &Caller) -> anyhow::Result<Vec<Duration>> {
    for _ in 0..20 {
        caller.run(ground.request(&bench.guest.noop)).await?;
    }
    let (mut ticks, mut waiting, began) = (tokio::time::interval(EVERY), JoinSet::new(), Instant::now());
    while began.elapsed() < 2 * bench.settings.load_time {
        ticks.tick().await;
        let (caller, request, started) = (caller.clone(), ground.request(&bench.guest.noop), Instant::now());
        waiting.spawn(async move { caller.run(request).await.map(|()| started.elapsed()) });
    }
    waiting.join_all().await.into_iter().collect()
}

/// As many tenants, of three weights in turn, all with more queued than is run: what each weight got, against what it should have got.
async fn weights(bench: &Bench<'_>, number: usize) -> anyhow::Result<Vec<Row>> {
    let ground = bench.site.ground()?;
    let tenants = (0..number).map(|place| ground.tenant(place)).collect::<anyhow::Result<Vec<_>>>()?;
    let each = (3 * bench.settings.requests / number).max(LEAST_EACH);
    let lots = tenants.iter().cloned().zip(WEIGHTS.into_iter().cycle().map(|weight| Share { weight, ..Share::default() }));
    let ports = ground.open_with(lots.collect()).await?;
    ground.push(&ports, bench.guest, number).await?;
    lay_down(&ports, &tenants).await?;
    ground.fill(&ports, bench.guest, number, each * number).await?;
    drop(ports);
    let node = ground.node(&options(bench)).await?;
    let got = shares(node, &ground, &tenants, each).await;
    let ports = ground.open().await?;
    for tenant in &tenants {
        let revision = ports.tenants.read(tenant).await?.revision;
        ports.tenants.replace(tenant, revision, None).await?;
    }
    ground.clear().await?;
    let (all, expected) = (got?, WEIGHTS.iter().sum::<u32>());
    let total: f64 = all.iter().sum();
    let off = WEIGHTS.iter().zip(&all).map(|(weight, got)| (got / total * f64::from(expected) / f64::from(*weight) - 1.0).abs());
    Ok(vec![
        row(format!("weights_{number}_off"), Some(100.0 * off.fold(0.0, f64::max)), "%"),
        row(format!("weights_{number}_done"), Some(total), "tasks"),
    ])
}

/// Gives tenants their weights.
async fn lay_down(ports: &Backends, tenants: &[Tenant]) -> anyhow::Result<()> {
    for (tenant, weight) in tenants.iter().zip(WEIGHTS.into_iter().cycle()) {
        let revision = ports.tenants.read(tenant).await?.revision;
        let record = TenantRecord { weight: Some(weight), ..TenantRecord::new(Timestamp::now()) };
        ports.tenants.replace(tenant, revision, Some(&record)).await?;
    }
    Ok(())
}

/// What each weight got, once those of the highest are half through what they have: all still have more than is run. The node is killed
/// then, so that nothing moves while it is counted.
async fn shares(mut node: Node, ground: &Ground, tenants: &[Tenant], each: usize) -> anyhow::Result<Vec<f64>> {
    let heaviest = tenants.get(WEIGHTS.len() - 1).context("no tenant of the highest weight")?;
    let client = Arc::new(Client::new(&node.url, Some(heaviest.clone()), None)?);
    while left(&client).await? > each / 2 {
        tokio::time::sleep(LOOKS).await;
    }
    node.process.kill().await?;
    drop(node);
    let ports = ground.open().await?;
    let mut sums = vec![0; WEIGHTS.len()];
    for (tenant, sum) in tenants.iter().zip((0..WEIGHTS.len()).cycle()) {
        let backlog = ports.broker.backlog(tenant).await?;
        let left = usize::try_from(backlog.ready + backlog.leased).unwrap_or(each);
        if let Some(sum) = sums.get_mut(sum) {
            *sum += each.saturating_sub(left);
        }
    }
    Ok(sums.into_iter().map(count).collect())
}

/// How many requests of a tenant are not begun.
async fn left(client: &Arc<Client>) -> anyhow::Result<usize> {
    let client = Arc::clone(client);
    let list: QueueList = tokio::task::spawn_blocking(move || client.get("/v1/queues", &[])).await??;
    Ok(list.queues.iter().map(|queue| usize::try_from(queue.backlog.ready).unwrap_or(usize::MAX)).sum())
}
