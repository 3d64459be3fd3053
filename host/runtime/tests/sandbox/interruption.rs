//! Guests that do not end by themselves, spinning or waiting, and how each is ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mogbox_core::executor::StopReason;
use mogbox_core::{Bound, Executor, Limits, Outcome, Stop};
use mogbox_runtime::EngineSettings;

use crate::endless::{endless, wide};
use crate::guests::{CONTEXT, Guest, REQUESTS, STATE, WASI};
use crate::parking::{CALLS, ENTRY};
use crate::world::{NEVER_ANSWERED, Run, World};

on_both! {
    an_endless_loop_ends_with_its_wall_time
    an_endless_loop_ends_with_its_cpu_time
    every_endless_guest_ends_with_its_deadline
    every_endless_guest_ends_when_the_host_says_so
    every_call_of_the_host_has_a_time_of_its_own
    a_guest_is_not_started_once_its_host_has_stopped_it
}

const SPIN: &str = "(loop $again (br $again)) unreachable";

/// Tells the host that it is there, then spins.
const SPIN_AFTER_A_SIGN: &str = "(call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256)) (loop $again (br $again)) unreachable";

/// Submits a child and waits for it, which never ends.
const WAIT: &str = r#"
  (call $submit (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))
  (i32.store (i32.const 320) (i32.load (i32.const 260))) (i32.store (i32.const 324) (i32.load (i32.const 264)))
  (call $wait (i32.const 320) (i32.const 1) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))
  unreachable"#;

/// Tells the host that it is there, then sleeps for an hour.
const SLEEP: &str = r#"
  (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256))
  (call $block (call $subscribe (i64.const 3600000000000)))
  unreachable"#;

/// Asks for state that never comes.
fn asking() -> Run {
    let items = format!("(data (i32.const 1000) \"{NEVER_ANSWERED}\")");
    let body = "(call $get_state (i32.const 1000) (i32.const 5) (i32.const 256)) unreachable";
    Run::of(&Guest { imports: STATE, items: &items, ..Guest::running(body) })
}

pub(crate) fn waiting() -> Run {
    Run::of(&Guest { imports: REQUESTS, ..Guest::running(WAIT) })
}

fn sleeping() -> Run {
    let imports = format!("{CONTEXT}{WASI}");
    Run::of(&Guest { world: "with-wasi", imports: &imports, items: ENTRY, ..Guest::running(SLEEP) })
}

pub(crate) fn spinning() -> Run {
    Run::of(&Guest { imports: CONTEXT, items: ENTRY, ..Guest::running(SPIN_AFTER_A_SIGN) })
}

fn over(bound: Bound, limit: &str) -> Outcome {
    Outcome::OverBound { bound, limit: limit.into() }
}

async fn an_endless_loop_ends_with_its_wall_time(world: World) {
    let limits = Limits { wall_time: 50, ..Limits::default() };
    let execution = world.survives(Run::of(&Guest::running(SPIN)).within(limits)).await;
    assert_eq!(execution.outcome, over(Bound::WallTime, "50ms"));
    assert!(execution.receipt.run_us >= 50_000 && execution.receipt.cpu_us > 0, "{:?}", execution.receipt);
}

async fn an_endless_loop_ends_with_its_cpu_time(world: World) {
    let limits = Limits { cpu_time: 30, ..Limits::default() };
    let execution = world.survives(Run::of(&Guest::running(SPIN)).within(limits)).await;
    assert_eq!(execution.outcome, over(Bound::CpuTime, "30ms"));
    assert!(execution.receipt.cpu_us >= 30_000, "{:?}", execution.receipt);
}

async fn every_endless_guest_ends_with_its_deadline(world: World) {
    for guest in endless() {
        world.memory.hangs.store(guest.hangs, Ordering::Release);
        // The bound on wall time counts from when the module is there, the deadline does not.
        let compiled = world.run(Run::of_module(guest.module.clone()).within(Limits { wall_time: 1, ..wide() })).await;
        assert_eq!(compiled.outcome, over(Bound::WallTime, "1ms"), "{}", guest.name);
        let run = Run { deadline: Some(Duration::from_millis(50)), ..Run::of_module(guest.module) }.within(wide());
        assert_eq!(world.run(run).await.outcome, Outcome::DeadlinePassed, "{}", guest.name);
    }
    world.memory.hangs.store(false, Ordering::Release);
    world.still_serves().await;
}

#[test]
fn there_is_an_endless_guest_for_every_import_of_the_wit() {
    let names: Vec<&str> = endless().iter().map(|guest| guest.name).collect();
    for interface in ["context", "state", "requests", "log"] {
        let path = format!("{}/../../wit/{interface}.wit", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let functions: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(": func(")?.0.trim())).collect();
        assert!(!functions.is_empty());
        assert_eq!(functions.iter().find(|name| !names.contains(name)), None, "{interface}");
    }
}

async fn every_endless_guest_ends_when_the_host_says_so(world: World) {
    for (run, reason) in [(spinning(), StopReason::Revoked), (waiting(), StopReason::LeaseLost), (sleeping(), StopReason::Draining)] {
        let stop = run.stop.clone();
        let running = world.start(run);
        world.reached().await;
        let told = Instant::now();
        stop.force(reason);
        assert_eq!(running.await.unwrap().outcome, Outcome::Stopped(reason));
        assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
        world.still_serves().await;
    }
}

async fn every_call_of_the_host_has_a_time_of_its_own(world: World) {
    world.still_serves().await;
    world.memory.hangs.store(true, Ordering::Release);
    for call in CALLS {
        let limits = Limits { call_time: 1, ..Limits::default() };
        let execution = world.run(Run::of_module(call.build()).within(limits)).await;
        let Outcome::Success(text) = execution.outcome else { panic!("{}: {:?}", call.name, execution.outcome) };
        let expected = "no answer of the store yet: over the bound call-time of 1ms; \
                        a node started with --limit call-time=VALUE raises it, up to 10m";
        assert_eq!(text.as_str(), format!("\"{expected}\""), "{}", call.name);
    }
}

async fn a_guest_is_not_started_once_its_host_has_stopped_it(world: World) {
    let run = Run::of(&Guest::default());
    run.stop.force(StopReason::Revoked);
    let execution = world.survives(run).await;
    assert_eq!((execution.outcome, execution.receipt.started), (Outcome::Stopped(StopReason::Revoked), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_spin_on_every_thread_do_not_keep_others_from_finishing() {
    let world = World::new();
    let stop = Stop::new();
    let spinners: Vec<_> = (0..4)
        .map(|_| {
            let run = spinning();
            world.start(Run { stop: stop.clone(), ..run })
        })
        .collect();
    for _ in &spinners {
        world.reached().await;
    }
    world.still_serves().await;
    stop.force(StopReason::Draining);
    for spinner in spinners {
        let execution = spinner.await.unwrap();
        assert_eq!(execution.outcome, Outcome::Stopped(StopReason::Draining));
        assert!(execution.receipt.cpu_us > 0);
    }
}

#[tokio::test]
async fn a_thousand_guests_wait_at_once_and_hold_no_thread() {
    let world = World::with(&EngineSettings { max_instances: 1_001, ..EngineSettings::default() });
    let module = waiting().module;
    let stop = Stop::new();
    let start = |_| world.start(Run { module: module.clone(), stop: stop.clone(), ..Run::of(&Guest::default()) });
    let waiters: Vec<_> = (0..1_000).map(start).collect();
    for _ in &waiters {
        world.reached().await;
    }
    world.still_serves().await;
    stop.force(StopReason::Draining);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().outcome, Outcome::Stopped(StopReason::Draining));
    }
}

#[tokio::test]
async fn a_guest_beyond_the_places_of_the_node_is_put_off() {
    let world = World::with(&EngineSettings { max_instances: 1, ..EngineSettings::default() });
    let run = waiting();
    let stop = run.stop.clone();
    let waiter = world.start(run);
    world.reached().await;
    let execution = world.run(Run::of(&Guest::default())).await;
    let Outcome::Unavailable(text) = execution.outcome else { panic!("{:?}", execution.outcome) };
    assert_eq!(text, "1 guests are alive on this node, which is all that it takes (max_instances)");
    stop.force(StopReason::Revoked);
    waiter.await.unwrap();
    world.still_serves().await;
}

#[tokio::test]
async fn a_guest_whose_attempt_is_dropped_while_it_waits_leaves_nothing_behind() {
    let world = World::with(&EngineSettings { max_instances: 1, ..EngineSettings::default() });
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for run in [waiting(), sleeping(), asking()] {
        let attempt = world.attempt(run);
        let context = Arc::downgrade(&attempt.context);
        tokio::select! {
            biased;
            execution = world.sandbox.execute(attempt) => panic!("{:?}", execution.outcome),
            () = world.reached() => (),
        }
        // A guest that has a turn is dropped after it.
        world.parted().await;
        // The task that writes the steps of this context is aborted with it, and gone a turn later.
        tokio::task::yield_now().await;
        assert_eq!((tasks(), context.strong_count()), (0, 0));
        world.still_serves().await;
        world.parted().await;
    }
}
