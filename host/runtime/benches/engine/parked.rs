//! Memory of guests that wait: ten thousand of them, each parked in a call of the host, with two threads. Then what is kept of them
//! once they are gone.

use std::fs;

use mogbox_core::executor::StopReason;
use mogbox_core::{Limits, Outcome, Stop};
use mogbox_runtime::EngineSettings;

use crate::modules;
use crate::report::Report;
use crate::world::{Run, World, json};

const GUESTS: u32 = 10_000;

pub(crate) fn bench(report: &mut Report) {
    let world = World::with(&EngineSettings { guest_memory: 64 << 30, ..EngineSettings::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(park(report, &world));
}

async fn park(report: &mut Report, world: &World) {
    let digest = world.push(&modules::bench());
    let limits = Limits { call_time: 3_600_000, wall_time: 3_600_000, tenant_memory: 100, ..Limits::default() };
    let stop = Stop::new();
    let run = |task, args| Run { task, args, stop: stop.clone(), ..Run::of_module(Vec::new()) }.within(limits.clone());
    let warm = world.start_attempt(world.attempt_of(digest, run("bench.noop", vec![]))).await.unwrap().outcome;
    assert!(matches!(warm, Outcome::Success(_)), "{warm:?}");
    world.memory.hangs.store(true, std::sync::atomic::Ordering::Release);
    let before = [memory("VmRSS"), memory("VmPTE"), mappings()];
    let parked: Vec<_> =
        (0..GUESTS).map(|_| world.start_attempt(world.attempt_of(digest, run("bench.parent", vec![json("\"q\"")])))).collect();
    for _ in 0..GUESTS {
        world.reached().await;
    }
    let during = [memory("VmRSS"), memory("VmPTE"), mappings()];
    stop.force(StopReason::Draining);
    for guest in parked {
        guest.await.unwrap();
    }
    let each = |at: usize| (during[at] - before[at]) / f64::from(GUESTS);
    report.tell("parked_rss_total", "MiB", &[during[0] / 1_024.0]);
    report.tell("parked_rss_each", "KiB", &[each(0)]);
    report.tell("parked_page_tables_each", "KiB", &[each(1)]);
    report.tell("parked_mappings_each", "maps", &[each(2)]);
    report.tell("parked_mappings_total", "maps", &[during[2]]);
    report.tell("parked_rss_afterwards", "MiB", &[memory("VmRSS") / 1_024.0]);
}

/// A figure of the process, in KiB.
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn mappings() -> f64 {
    f64::from(u32::try_from(fs::read_to_string("/proc/self/maps").unwrap().lines().count()).unwrap())
}
