//! A node that is killed: the time until everything that it held is done by another.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Bench;
use super::figures::{Row, row};
use super::ground::{Ground, Ticket};
use super::node::NodeOptions;
use super::usage::count;
use super::watch::Eye;

/// Length of a lease: as short as keeps what the node held apart from what merely waited for its turn.
const LEASE: Duration = Duration::from_secs(5);

/// Requests for each that runs at once: enough that the node is at work when it is killed.
const ROUNDS: usize = 100;

/// Kills one of two nodes at work.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    if bench.site.is_embedded() {
        // What it held is known by many looks only, which through the node take longer than it takes to recover.
        bench.tell("not measured on the embedded store: a node runs what it held as soon as it starts again");
        return Ok(Vec::new());
    }
    let ground = bench.site.ground()?;
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, 1).await?;
    let tickets = ground.fill(&ports, bench.guest, 1, bench.settings.concurrency * ROUNDS).await?;
    drop(ports);
    let options = NodeOptions { lease: LEASE, ..bench.options() };
    let rows = kill(&ground, &options, &tickets).await?;
    ground.clear().await?;
    Ok(rows)
}

async fn kill(ground: &Ground, options: &NodeOptions, tickets: &[Ticket]) -> anyhow::Result<Vec<Row>> {
    let mut victim = ground.node(options).await?;
    let eye = Eye::Redis(ground.redis.clone().context("no Redis to look at")?);
    eye.until(tickets.get(..1).unwrap_or_default()).await?;
    let survivor = ground.node(options).await?;
    let half = tickets.len() / 2;
    eye.until(tickets.get(half..=half).unwrap_or_default()).await?;
    let killed = Instant::now();
    victim.process.kill().await?;
    // What waited is done by then; what the killed node held is not handed out before its lease ends.
    tokio::time::sleep_until((killed + LEASE / 2).into()).await;
    let held = tickets.len() - eye.done(tickets).await?;
    eye.until(tickets).await.context(survivor.last_words())?;
    let recovered = killed.elapsed();
    survivor.process.stop().await?;
    Ok(vec![
        row("recovery", Some(recovered.as_secs_f64()), "s"),
        row("recovery_lease", Some(LEASE.as_secs_f64()), "s"),
        row("recovery_requests", Some(count(held)), "tasks"),
    ])
}
