//! How fast one client submits: one request after the other, and many in one call.

use std::time::{Duration, Instant};

use super::Bench;
use super::figures::{Row, row};
use super::ground::submitter;
use super::usage::count;

/// Submits while no node runs.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let (ground, requests) = (bench.site.ground()?, bench.settings.requests);
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, 1).await?;
    let (submitter, tenant) = (submitter(&ports), ground.tenant(0)?);
    let one_by_one = bench.settings.samples.max(1);
    let started = Instant::now();
    for _ in 0..one_by_one {
        submitter.submit(&tenant, ground.request(&bench.guest.noop), Duration::ZERO).await?;
    }
    let singly = started.elapsed();
    let started = Instant::now();
    ground.fill(&ports, bench.guest, 1, requests).await?;
    let in_bulk = started.elapsed();
    drop(ports);
    ground.clear().await?;
    Ok(vec![
        row("enqueue_one_by_one", Some(count(one_by_one) / singly.as_secs_f64()), "tasks/s"),
        row("enqueue_bulk", Some(count(requests) / in_bulk.as_secs_f64()), "tasks/s"),
    ])
}
