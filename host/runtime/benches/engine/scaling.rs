//! Whether two threads of one process run twice as many attempts as one, and two processes do.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use mogbox_core::{Digest, Executor as _, Outcome};
use mogbox_runtime::EngineSettings;

use crate::modules;
use crate::report::Report;
use crate::world::{Run, World};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(1_000);
const BATCH: usize = 100;

/// What a process is told that is one of two.
pub(crate) const CHILD: &str = "one-of-two-processes";

/// Attempts a second, and microseconds of CPU time for each.
type Rate = (f64, f64);

pub(crate) fn bench(report: &mut Report) {
    let world = world();
    let digest = world.push(&modules::bench());
    for (name, measure) in [("1_thread", 1), ("2_threads", 2)] {
        tell(report, name, &(0..ROUNDS).map(|_| threads(&world, digest, measure)).collect::<Vec<_>>());
    }
    tell(report, "2_processes", &(0..ROUNDS).map(|_| processes()).collect::<Vec<_>>());
}

/// A process of its own: tells its rate on standard output.
pub(crate) fn child() {
    let world = world();
    let (rate, cpu) = threads(&world, world.push(&modules::bench()), 1);
    println!("{rate} {cpu}");
}

fn world() -> Arc<World> {
    Arc::new(World::with(&EngineSettings { max_instances: 1_000, ..EngineSettings::default() }))
}

fn tell(report: &mut Report, name: &str, rates: &[Rate]) {
    report.tell(&format!("scaling_{name}_rate"), "1/s", &rates.iter().map(|rate| rate.0).collect::<Vec<_>>());
    report.tell(&format!("scaling_{name}_cpu"), "us", &rates.iter().map(|rate| rate.1).collect::<Vec<_>>());
}

fn threads(world: &Arc<World>, digest: Digest, number: usize) -> Rate {
    let threads: Vec<_> = (0..number)
        .map(|_| {
            let world = Arc::clone(world);
            std::thread::spawn(move || one_thread(&world, digest))
        })
        .collect();
    sum(threads.into_iter().map(|thread| thread.join().unwrap()))
}

fn processes() -> Rate {
    let start = || Command::new(std::env::current_exe().unwrap()).arg(CHILD).stdout(Stdio::piped()).spawn().unwrap();
    let rates: Vec<Rate> = [start(), start()].into_iter().map(|child| parse(&child.wait_with_output().unwrap().stdout)).collect();
    sum(rates.into_iter())
}

fn parse(output: &[u8]) -> Rate {
    let text = String::from_utf8_lossy(output);
    let (rate, cpu) = text.trim().split_once(' ').unwrap();
    (rate.parse().unwrap(), cpu.parse().unwrap())
}

/// Rates add up; the CPU time of an attempt is the mean.
#[allow(clippy::cast_precision_loss, reason = "one or two")]
fn sum(rates: impl ExactSizeIterator<Item = Rate>) -> Rate {
    let number = rates.len() as f64;
    rates.fold((0.0, 0.0), |(rate, cpu), one| (rate + one.0, cpu + one.1 / number))
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn one_thread(world: &World, digest: Digest) -> Rate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let run = || Run { task: "bench.noop", args: vec![], ..Run::of_module(Vec::new()) };
    let batch = || {
        let attempts: Vec<_> = (0..BATCH).map(|_| world.attempt_of(digest, run())).collect();
        let contexts: Vec<_> = attempts.iter().map(|attempt| attempt.context.clone()).collect();
        let (clock, cpu) = (Instant::now(), ThreadTime::now());
        for attempt in attempts {
            assert!(matches!(runtime.block_on(world.sandbox.execute(attempt)).outcome, Outcome::Success(_)));
        }
        drop(contexts);
        (clock.elapsed(), cpu.elapsed())
    };
    batch();
    let (mut wall, mut cpu, mut done) = (Duration::ZERO, Duration::ZERO, 0usize);
    while wall < TIME {
        let (of_clock, of_cpu) = batch();
        (wall, cpu, done) = (wall + of_clock, cpu + of_cpu, done + BATCH);
    }
    (done as f64 / wall.as_secs_f64(), cpu.as_secs_f64() * 1e6 / done as f64)
}
