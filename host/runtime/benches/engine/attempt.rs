//! One attempt through the sandbox against the bare engine, in turns: their ratio is taken pair by pair, so that a machine that is
//! busy with other things slows both.

use std::time::Instant;

use cpu_time::ThreadTime;
use mogbox_core::{Attempt, Digest, Executor as _, Json, Outcome};
use mogbox_runtime::EngineSettings;

use crate::bare::Bare;
use crate::modules;
use crate::report::Report;
use crate::world::{Run, World, json};

const PAIRS: usize = 60;
const ATTEMPTS: usize = 200;

/// Pages that a guest with a small interpreter in it touches.
const INTERPRETER_PAGES: &str = "88";

/// Microseconds of one attempt: of the clock and of the CPU.
struct Cost {
    wall: f64,
    cpu: f64,
}

pub(crate) fn bench(report: &mut Report) {
    let settings = EngineSettings { max_instances: 1_000, ..World::settings() };
    let module = modules::bench();
    let world = World::with(&settings);
    let digest = world.push(&module);
    let bare = Bare::new(&settings.config(), &module);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, task, args) in [("nothing", "bench.noop", vec![]), ("touch", "bench.touch", vec![json(INTERPRETER_PAGES)])] {
        let once = || runtime.block_on(pair(&world, digest, &bare, task, &args));
        once();
        let in_process = || runtime.block_on(in_a_process(&world, digest, task, &args));
        in_process();
        report.tell(&format!("process_{name}"), "us", &(0..PAIRS).map(|_| in_process()).collect::<Vec<_>>());
        tell(report, name, &(0..PAIRS).map(|_| once()).collect::<Vec<_>>());
    }
}

fn tell(report: &mut Report, name: &str, pairs: &[(Cost, Cost)]) {
    let each = |take: fn(&(Cost, Cost)) -> f64| pairs.iter().map(take).collect::<Vec<_>>();
    report.tell(&format!("attempt_{name}"), "us", &each(|(ours, _)| ours.wall));
    report.tell(&format!("attempt_{name}_cpu"), "us", &each(|(ours, _)| ours.cpu));
    report.tell(&format!("bare_{name}"), "us", &each(|(_, bare)| bare.wall));
    report.tell(&format!("bare_{name}_cpu"), "us", &each(|(_, bare)| bare.cpu));
    report.tell(&format!("attempt_{name}_to_bare"), "times", &each(|(ours, bare)| ours.cpu / bare.cpu));
}

async fn pair(world: &World, digest: Digest, bare: &Bare, task: &'static str, args: &[Json]) -> (Cost, Cost) {
    let run = || Run { task, args: args.to_vec(), ..Run::of_module(Vec::new()) };
    let attempts: Vec<Attempt> = (0..ATTEMPTS).map(|_| world.attempt_of(digest, run())).collect();
    // The worker holds the contexts as well: dropping them is not the sandbox's.
    let contexts: Vec<_> = attempts.iter().map(|attempt| attempt.context.clone()).collect();
    let ours = cost(async {
        for attempt in attempts {
            let execution = world.sandbox.execute(attempt).await;
            assert!(matches!(execution.outcome, Outcome::Success(_)), "{:?}", execution.outcome);
        }
    })
    .await;
    drop(contexts);
    let theirs = cost(async {
        for _ in 0..ATTEMPTS {
            bare.run(task, args).await;
        }
    })
    .await;
    (ours, theirs)
}

/// Microseconds of one attempt in a process of its tenant's, one after the other: module and process are there.
async fn in_a_process(world: &World, digest: Digest, task: &'static str, args: &[Json]) -> f64 {
    let run = || Run { task, args: args.to_vec(), ..Run::of_module(Vec::new()) }.in_a_process();
    let attempts: Vec<Attempt> = (0..ATTEMPTS).map(|_| world.attempt_of(digest, run())).collect();
    let whole = cost(async {
        for attempt in attempts {
            let execution = world.sandbox.execute(attempt).await;
            assert!(matches!(execution.outcome, Outcome::Success(_)), "{:?}", execution.outcome);
        }
    });
    whole.await.wall
}

async fn cost(work: impl Future<Output = ()>) -> Cost {
    let (clock, cpu) = (Instant::now(), ThreadTime::now());
    work.await;
    #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
    let each = |time: std::time::Duration| time.as_secs_f64() * 1e6 / ATTEMPTS as f64;
    Cost { wall: each(clock.elapsed()), cpu: each(cpu.elapsed()) }
}
