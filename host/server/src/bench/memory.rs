//! What a node holds: with nothing to do, and with guests that wait for children that nobody runs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mogbox_core::{Json, State};

use super::Bench;
use super::figures::{Row, row};
use super::ground::{Ground, Ticket, submitter};
use super::node::NodeOptions;
use super::usage::{count, cpu_seconds, mebibytes, precise, resident};
use super::watch::{Eye, PATIENCE};

/// How long an idle node is watched.
const IDLE: Duration = Duration::from_secs(3);

/// Waiting guests that a node keeps for each request that it runs at once.
const GUESTS_A_REQUEST: usize = 8;

/// Time between two looks at those that do not wait yet.
const LOOK: Duration = Duration::from_millis(50);

/// Requests submitted in one call, and looked at.
const BATCH: usize = 500;

/// Threads of the node whose guests wait.
const THREADS: usize = 2;

/// An idle node, then as many guests that wait.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let ground = bench.site.ground()?;
    let mut rows = idle(bench, &ground).await?;
    ground.clear().await?;
    let ground = bench.site.ground()?;
    rows.extend(waiting(bench, &ground).await?);
    ground.clear().await?;
    Ok(rows)
}

async fn idle(bench: &Bench<'_>, ground: &Ground) -> anyhow::Result<Vec<Row>> {
    let node = ground.node(&bench.options()).await?;
    let pids = [node.process.pid()];
    tokio::time::sleep(IDLE).await;
    let before = cpu_seconds(&pids);
    tokio::time::sleep(IDLE).await;
    let used = cpu_seconds(&pids).zip(before).map(|(after, before)| (after - before) / IDLE.as_secs_f64() * 100.0);
    let rows = vec![row("idle_rss", resident(&pids).map(mebibytes), "MiB"), row("idle_cpu", used, "%core")];
    node.process.stop().await?;
    Ok(rows)
}

async fn waiting(bench: &Bench<'_>, ground: &Ground) -> anyhow::Result<Vec<Row>> {
    let number = bench.settings.waiting;
    let tickets = submit_parents(bench, ground, number).await?;
    let concurrency = bench.settings.concurrency.max(number.div_ceil(GUESTS_A_REQUEST));
    let threads = bench.settings.threads.unwrap_or(THREADS);
    let mut node = ground.node(&NodeOptions { concurrency, threads, ..bench.options() }).await?;
    let pids = [node.process.pid()];
    let before = resident(&pids);
    let started = Instant::now();
    let eye = match &ground.redis {
        Some(_) => Eye::Store(ground.open().await?.results),
        None => Eye::node(&node),
    };
    wait_for_all(&eye, &tickets).await.with_context(|| format!("of {number} requests that wait: {}", node.last_words()))?;
    let (took, after) = (started.elapsed(), resident(&pids));
    let each = after.zip(before).map(|(after, before)| (precise(after) - precise(before)) / count(number) / 1024.0);
    // Killed: asked to stop, it would first give them all back.
    node.process.kill().await?;
    Ok(vec![
        row(format!("waiting_{number}_rss"), after.map(mebibytes), "MiB"),
        row(format!("waiting_{number}_rss_each"), each, "KiB/task"),
        row(format!("waiting_{number}_started"), Some(count(number) / took.as_secs_f64()), "tasks/s"),
    ])
}

async fn submit_parents(bench: &Bench<'_>, ground: &Ground, number: usize) -> anyhow::Result<Vec<Ticket>> {
    let parent = bench.guest.parent.as_ref().context("the module has no task bench.parent")?;
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, 1).await?;
    let (submitter, tenant, queue) = (submitter(&ports), ground.tenant(0)?, Json::string(&ground.unserved()));
    let mut tickets = Vec::with_capacity(number);
    while tickets.len() < number {
        let batch = (tickets.len()..number).take(BATCH);
        let requests = batch.map(|_| mogbox_core::Request { args: vec![queue.clone()], ..ground.request(parent) }).collect();
        let ids = submitter.submit_all(&tenant, requests, Duration::ZERO).await?;
        tickets.extend(ids.into_iter().map(|id| Ticket { tenant: tenant.clone(), id }));
    }
    Ok(tickets)
}

/// Waits until all of them wait at the same time.
async fn wait_for_all(eye: &Eye, tickets: &[Ticket]) -> anyhow::Result<()> {
    let (mut known, mut progress) = (0, Instant::now());
    while let Some(rest @ [_, ..]) = tickets.get(known..) {
        let batch = rest.get(..BATCH).unwrap_or(rest);
        let waiting = eye.count(batch, |state| state == State::Suspended).await?;
        if waiting == batch.len() {
            (known, progress) = (known + waiting, Instant::now());
        } else if progress.elapsed() > PATIENCE {
            bail!("only {} wait after {} s", known + waiting, PATIENCE.as_secs());
        } else {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}
