//! How late an attempt ends after its deadline: a guest that spins, and one parked in each import of the host at a store that never
//! answers. On two threads that have nothing else to do, then on two that other guests keep busy.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mogbox_core::executor::StopReason;
use mogbox_core::{Executor as _, Limits, Outcome, Stop};
use mogbox_runtime::EngineSettings;

use crate::guests::{Guest, WASI};
use crate::parking::CALLS;
use crate::report::Report;
use crate::world::{Run, World};

const RUNS: usize = 200;
const DEADLINE: Duration = Duration::from_millis(20);

const SPIN: &str = "(loop $again (br $again)) unreachable";
const SLEEP: &str = "(call $block (call $subscribe (i64.const 3600000000000))) unreachable";
const POLL: &str = r#"
  (i32.store (i32.const 320) (call $subscribe (i64.const 3600000000000)))
  (call $poll (i32.const 320) (i32.const 1) (i32.const 256)) unreachable"#;

pub(crate) fn bench(report: &mut Report) {
    let world = World::with(&EngineSettings { max_instances: 100, ..EngineSettings::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let guests = guests();
        for (_, module) in &guests {
            late(&world, module).await;
        }
        measure(report, &world, "idle", &guests).await;
        let stop = Stop::new();
        let busy = Limits { cpu_time: 3_600_000, wall_time: 3_600_000, ..Limits::default() };
        let spinner = || Run { stop: stop.clone(), ..Run::of(&Guest::running(SPIN)) }.within(busy.clone());
        let spinners = [world.start(spinner()), world.start(spinner())];
        measure(report, &world, "busy", &guests).await;
        stop.force(StopReason::Draining);
        for spinner in spinners {
            spinner.await.unwrap();
        }
    });
}

fn guests() -> Vec<(&'static str, Vec<u8>)> {
    let wasi = |run| Guest { world: "with-wasi", imports: WASI, ..Guest::running(run) }.build();
    let own = [("spin", Guest::running(SPIN).build()), ("block", wasi(SLEEP)), ("poll", wasi(POLL))];
    own.into_iter().chain(CALLS.iter().map(|call| (call.name, call.build()))).collect()
}

async fn measure(report: &mut Report, world: &World, machine: &str, guests: &[(&'static str, Vec<u8>)]) {
    let mut worst: Vec<f64> = Vec::new();
    for (name, module) in guests {
        let mut samples = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            samples.push(late(world, module).await);
        }
        report.tell(&format!("late_{machine}_{name}"), "ms", &samples);
        report.tell_quantile(&format!("late_{machine}_{name}_p99"), "ms", &samples, 0.99);
        worst.extend(samples);
    }
    report.tell_quantile(&format!("late_{machine}_all_p99"), "ms", &worst, 0.99);
}

/// Milliseconds from the deadline to the end of an attempt.
async fn late(world: &World, module: &[u8]) -> f64 {
    world.memory.hangs.store(true, Ordering::Release);
    let attempt = world.attempt(Run { deadline: Some(DEADLINE), ..Run::of_module(module.to_vec()) });
    let context = attempt.context.clone();
    let sandbox = world.sandbox.clone();
    // On a thread of the runtime's own, as a node's attempts are.
    let (execution, ended) = tokio::spawn(async move { (sandbox.execute(attempt).await, context.started().elapsed()) }).await.unwrap();
    assert!(matches!(execution.outcome, Outcome::DeadlinePassed | Outcome::Stopped(_)), "{:?}", execution.outcome);
    (ended.as_secs_f64() - DEADLINE.as_secs_f64()) * 1e3
}
