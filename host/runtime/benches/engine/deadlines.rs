//! How late an attempt ends after its deadline: a guest that spins, one that waits in each import of the host, and one that calls over
//! and over what nobody waits in, with the time of one such call as the receipt has it, which is how long it holds a thread. On two threads
//! that have nothing else to do, then on two that other guests keep busy.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mogbox_core::executor::StopReason;
use mogbox_core::{Executor as _, Outcome, Receipt, Stop};
use mogbox_runtime::EngineSettings;

use crate::endless::{Endless, endless, wide};
use crate::guests::Guest;
use crate::report::Report;
use crate::world::{Run, World};

const RUNS: usize = 200;
const DEADLINE: Duration = Duration::from_millis(20);

const SPIN: &str = "(loop $again (br $again)) unreachable";

pub(crate) fn bench(report: &mut Report) {
    let world = World::with(&EngineSettings { max_instances: 100, ..EngineSettings::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let guests = endless();
        for guest in &guests {
            late(&world, guest).await;
        }
        measure(report, &world, "idle", &guests).await;
        let stop = Stop::new();
        let spinner = || Run { stop: stop.clone(), ..Run::of(&Guest::running(SPIN)) }.within(wide());
        let spinners = [world.start(spinner()), world.start(spinner())];
        measure(report, &world, "busy", &guests).await;
        stop.force(StopReason::Draining);
        for spinner in spinners {
            spinner.await.unwrap();
        }
    });
}

async fn measure(report: &mut Report, world: &World, machine: &str, guests: &[Endless]) {
    let mut worst: Vec<f64> = Vec::new();
    for guest in guests {
        let (mut samples, mut calls) = (Vec::with_capacity(RUNS), Vec::new());
        for _ in 0..RUNS {
            let (late, receipt) = late(world, guest).await;
            samples.push(late);
            calls.extend((receipt.host_calls > 1).then(|| count(receipt.cpu_us) / count(receipt.host_calls)));
        }
        let name = guest.name.replace(' ', "-");
        if !calls.is_empty() {
            report.tell(&format!("call_{machine}_{name}_cpu"), "us", &calls);
        }
        report.tell(&format!("late_{machine}_{name}"), "ms", &samples);
        report.tell_quantile(&format!("late_{machine}_{name}_p99"), "ms", &samples, 0.99);
        worst.extend(samples);
    }
    report.tell_quantile(&format!("late_{machine}_all_p99"), "ms", &worst, 0.99);
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

/// Milliseconds from the deadline to the end of an attempt, and what it used.
async fn late(world: &World, guest: &Endless) -> (f64, Receipt) {
    world.memory.hangs.store(guest.hangs, Ordering::Release);
    let attempt = world.attempt(Run { deadline: Some(DEADLINE), ..Run::of_module(guest.module.clone()) }.within(wide()));
    let context = attempt.context.clone();
    let sandbox = world.sandbox.clone();
    // On a thread of the runtime's own, as a node's attempts are.
    let (execution, ended) = tokio::spawn(async move { (sandbox.execute(attempt).await, context.started().elapsed()) }).await.unwrap();
    assert!(matches!(execution.outcome, Outcome::DeadlinePassed | Outcome::Stopped(_)), "{:?}", execution.outcome);
    ((ended.as_secs_f64() - DEADLINE.as_secs_f64()) * 1e3, execution.receipt)
}
