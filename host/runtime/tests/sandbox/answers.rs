//! What a guest returns, and what the host makes of it.

use mogbox_core::outcome::Failure;
use mogbox_core::report::Level;
use mogbox_core::{Bound, Entries, Limits, Outcome};

use crate::guests::{CONTEXT, Guest, LOG, REQUESTS, STATE, WASI};
use crate::world::{Run, World, json};

on_both! {
    state_is_kept_read_and_taken_out
    a_child_is_submitted_and_waited_for
    a_task_returns_its_argument_as_it_was_written
    metadata_is_read_and_written_while_the_task_runs
    a_task_that_does_not_serve_the_name_says_so
    a_failure_reaches_the_host_with_its_kind_message_and_details
    a_trap_is_named_with_the_functions_it_went_through
    each_kind_of_trap_has_its_class
    an_exit_of_the_guest_is_a_crash_and_what_it_printed_is_kept
    a_failure_says_what_the_guest_panicked_with
    a_result_that_is_no_json_is_refused_and_shown
    a_result_that_is_no_utf8_or_lies_outside_of_memory_is_refused
    a_result_over_its_bound_is_refused_however_much_it_is
    a_flood_of_log_lines_is_cut_and_counted_and_does_not_end_the_task
    a_flood_on_standard_output_is_cut_and_counted
}

fn trapped(outcome: &Outcome) -> (&str, &str) {
    match outcome {
        Outcome::Trapped { class, message } => (class, message),
        other => panic!("expected a trap, got {other:?}"),
    }
}

async fn a_task_returns_its_argument_as_it_was_written(world: World) {
    let execution = world.run(Run::of(&Guest::default())).await;
    assert_eq!(execution.outcome, Outcome::Success(json("[1,2.0,\"drei\"]")));
    let receipt = execution.receipt;
    assert_eq!(receipt.engine, "wasmtime 48.0.8");
    assert_eq!(receipt.peak_memory, 2 * 65_536);
    assert!(receipt.started.is_some() && receipt.module.is_some() && receipt.cpu_us > 0 && receipt.run_us > 0);
    assert_eq!((receipt.host_calls, execution.dropped_lines), (0, 0));
}

#[tokio::test]
async fn a_module_is_fetched_and_compiled_once_for_all_who_wait_for_it() {
    let world = World::new();
    let runs: Vec<_> = (0..8).map(|_| world.start(Run::of(&Guest::default()))).collect();
    for run in runs {
        assert!(matches!(run.await.unwrap().outcome, Outcome::Success(_)));
    }
    world.still_serves().await;
    assert_eq!(*world.memory.fetches.lock().unwrap(), 1);
}

async fn metadata_is_read_and_written_while_the_task_runs(world: World) {
    let copy = r#"
      (call $get_metadata (i32.const 1000) (i32.const 2) (i32.const 256))
      (i32.store (i32.const 1100) (i32.const 1008)) (i32.store (i32.const 1104) (i32.const 3))
      (i32.store (i32.const 1108) (i32.load (i32.const 264))) (i32.store (i32.const 1112) (i32.load (i32.const 268)))
      (call $set_metadata (i32.const 1100) (i32.const 1) (i32.const 288))
      (call $ok (i32.load (i32.const 264)) (i32.load (i32.const 268)))"#;
    let items = r#"(data (i32.const 1000) "in") (data (i32.const 1008) "out")"#;
    let mut run = Run::of(&Guest { imports: CONTEXT, items, ..Guest::running(copy) });
    run.metadata = [("in".to_owned(), json("{\"a\":1.0}"))].into_iter().collect();
    let execution = world.run(run).await;
    assert_eq!(execution.outcome, Outcome::Success(json("{\"a\":1.0}")));
    let expected: Entries = [("in", "{\"a\":1.0}"), ("out", "{\"a\":1.0}")].map(|(k, v)| (k.to_owned(), json(v))).into_iter().collect();
    assert_eq!(world.stored_metadata(), expected);
    assert_eq!(execution.receipt.host_calls, 2);
    assert_eq!(execution.receipt.host_bytes, 2 + 9 + (16 + 3 + 9));
}

async fn a_task_that_does_not_serve_the_name_says_so(world: World) {
    let unknown = "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store8 (i32.const 24) (i32.const 2)) (i32.const 16)";
    assert_eq!(world.survives(Run::of(&Guest::running(unknown))).await.outcome, Outcome::UnknownTask);
}

async fn a_failure_reaches_the_host_with_its_kind_message_and_details(world: World) {
    let failed = r#"
      (i32.store8 (i32.const 16) (i32.const 1)) (i32.store8 (i32.const 24) (i32.const 0))
      (i32.store (i32.const 32) (i32.const 1000)) (i32.store (i32.const 36) (i32.const 4))
      (i32.store (i32.const 40) (i32.const 1004)) (i32.store (i32.const 44) (i32.const 3))
      (i32.store8 (i32.const 48) (i32.const 1)) (i32.store (i32.const 52) (i32.const 1007)) (i32.store (i32.const 56) (i32.const 2))
      (i32.const 16)"#;
    let guest = |text: &str| Guest { items: text, ..Guest::running(failed) }.build();
    let mut run = Run::of(&Guest::default());
    run.module = guest(r#"(data (i32.const 1000) "Kindbad42")"#);
    let expected = Failure { kind: "Kind".into(), message: "bad".into(), details: Some(json("42")) };
    assert_eq!(world.run(run).await.outcome, Outcome::Failed(expected));
    let mut run = Run::of(&Guest::default());
    run.module = guest(r#"(data (i32.const 1000) "Kindbad4}")"#);
    let execution = world.survives(run).await;
    assert_eq!(trapped(&execution.outcome).0, "invalid-answer");
}

async fn a_trap_is_named_with_the_functions_it_went_through(world: World) {
    let items = "(func $far_inside unreachable)";
    let execution = world.survives(Run::of(&Guest { items, ..Guest::running("(call $far_inside) (i32.const 0)") })).await;
    let (class, message) = trapped(&execution.outcome);
    assert_eq!(class, "unreachable");
    assert!(message.starts_with("wasm `unreachable` instruction executed\n"), "{message}");
    assert!(message.contains("far_inside") && message.contains("run"), "{message}");
}

async fn each_kind_of_trap_has_its_class(world: World) {
    let items = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let cases = [
        ("(i32.load (i32.const -8))", "out-of-bounds"),
        ("(i32.div_u (i32.const 1) (local.get $i))", "integer-division"),
        ("(i32.trunc_f64_s (f64.const 1e300))", "integer-overflow"),
        ("(call $deep (i32.const 1))", "stack-overflow"),
    ];
    for (body, class) in cases {
        let execution = world.survives(Run::of(&Guest { items, ..Guest::running(body) })).await;
        let (found, message) = trapped(&execution.outcome);
        assert_eq!(found, class, "{message}");
        assert!(message.len() <= (4 << 10) + 3, "{}", message.len());
    }
}

async fn an_exit_of_the_guest_is_a_crash_and_what_it_printed_is_kept(world: World) {
    let panics = r#"(call $write (call $stderr) (i32.const 1000) (i32.const 8) (i32.const 256)) (call $exit (i32.const 1)) unreachable"#;
    let items = r#"(data (i32.const 1000) "panicked")"#;
    let execution = world.survives(Run::of(&Guest { world: "with-wasi", imports: WASI, items, ..Guest::running(panics) })).await;
    assert_eq!(trapped(&execution.outcome).0, "exit");
    assert_eq!(execution.log.len(), 1);
    assert_eq!((execution.log[0].level, execution.log[0].message.as_str()), (Level::Warn, "panicked"));
}

async fn a_failure_says_what_the_guest_panicked_with(world: World) {
    // Floods the log first: what it says last is kept all the same.
    let logs = r#"(loop $again
        (call $log (i32.const 2) (i32.const 1000) (i32.const 4) (i32.const 0) (i32.const 0))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))
      (call $log (i32.const 4) (i32.const 1004) (i32.const 35) (i32.const 0) (i32.const 0)) unreachable"#;
    let items = r#"(data (i32.const 1000) "loudpanicked at src/lib.rs:7:9:\0ano luck")"#;
    let execution = world.survives(Run::of(&Guest { imports: LOG, items, ..Guest::running(logs) })).await;
    let (class, message) = trapped(&execution.outcome);
    assert_eq!(class, "unreachable");
    assert!(message.starts_with("panicked at src/lib.rs:7:9: no luck\nwasm `unreachable` instruction executed\n"), "{message}");
    assert_eq!((execution.log.len(), execution.dropped_lines), (1_000, 4_001));
    assert_eq!((execution.log[999].level, execution.log[999].message.as_str()), (Level::Error, "panicked at src/lib.rs:7:9:\nno luck"));
}

async fn a_result_that_is_no_json_is_refused_and_shown(world: World) {
    let items = r#"(data (i32.const 1000) "{nonsense")"#;
    let execution = world.survives(Run::of(&Guest { items, ..Guest::running("(call $ok (i32.const 1000) (i32.const 9))") })).await;
    let (class, message) = trapped(&execution.outcome);
    assert_eq!(class, "invalid-answer");
    assert!(message.starts_with("the result is not valid JSON") && message.ends_with("it starts with \"{nonsense\""), "{message}");
}

async fn a_result_that_is_no_utf8_or_lies_outside_of_memory_is_refused(world: World) {
    let items = r#"(data (i32.const 1000) "\"\ff\fe\"")"#;
    let execution = world.survives(Run::of(&Guest { items, ..Guest::running("(call $ok (i32.const 1000) (i32.const 4))") })).await;
    let (class, message) = trapped(&execution.outcome);
    assert_eq!(class, "invalid-answer");
    assert!(message.contains("utf-8"), "{message}");
    for outside in ["(call $ok (i32.const -16) (i32.const 100))", "(i32.const -8)", "(i32.const 1)"] {
        let execution = world.survives(Run::of(&Guest::running(outside))).await;
        assert_eq!(trapped(&execution.outcome).0, "invalid-answer", "{outside}");
    }
}

async fn a_result_over_its_bound_is_refused_however_much_it_is(world: World) {
    let grown = "(drop (memory.grow (i32.const 2000)))";
    let huge = format!("{grown} (call $ok (i32.const 65536) (i32.const {}))", 100 << 20);
    let roomy = Limits { memory: 256 << 20, ..Limits::default() };
    let execution = world.survives(Run::of(&Guest::running(&huge)).within(roomy.clone())).await;
    assert_eq!(execution.outcome, Outcome::OverBound { bound: Bound::Result, limit: "4MiB".into() });
    let large = format!("{grown} (call $ok (i32.const 65536) (i32.const {}))", (4 << 20) + 1);
    let execution = world.survives(Run::of(&Guest::running(&large)).within(roomy)).await;
    assert_eq!(execution.outcome, Outcome::OverBound { bound: Bound::Result, limit: "4MiB".into() });
}

async fn a_flood_of_log_lines_is_cut_and_counted_and_does_not_end_the_task(world: World) {
    let flood = r#"(loop $again
        (call $log (i32.const 3) (i32.const 1000) (i32.const 4) (i32.const 0) (i32.const 0))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))
      (call $ok (i32.const 65) (i32.const 2))"#;
    let items = r#"(data (i32.const 1000) "loud")"#;
    let execution = world.survives(Run::of(&Guest { imports: LOG, items, ..Guest::running(flood) })).await;
    assert_eq!(execution.outcome, Outcome::Success(json("{}")));
    assert_eq!((execution.log.len(), execution.dropped_lines), (1_000, 4_000));
    assert_eq!((execution.log[0].level, execution.log[0].message.as_str()), (Level::Warn, "loud"));
}

async fn a_flood_on_standard_output_is_cut_and_counted(world: World) {
    let flood = r#"(memory.fill (i32.const 2048) (i32.const 121) (i32.const 4096)) (local.set $j (call $stdout)) (loop $again
        (call $write (local.get $j) (i32.const 2048) (i32.const 4096) (i32.const 256))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (call $ok (i32.const 65) (i32.const 2))"#;
    let execution = world.survives(Run::of(&Guest { world: "with-wasi", imports: WASI, ..Guest::running(flood) })).await;
    assert_eq!(execution.outcome, Outcome::Success(json("{}")));
    let kept: usize = execution.log.iter().map(|line| line.message.len()).sum();
    assert_eq!((kept, execution.dropped_lines), (256 << 10, 500 - 32));
    assert!(execution.log.iter().all(|line| line.level == Level::Info));
}

async fn state_is_kept_read_and_taken_out(world: World) {
    // Sets `t` to `{}`, takes it out, and returns what it was; traps where anything is refused or another `get` finds it still.
    let body = "
      (call $set_state (i32.const 64) (i32.const 1) (i32.const 65) (i32.const 2) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (call $pop_state (i32.const 64) (i32.const 1) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (call $get_state (i32.const 64) (i32.const 1) (i32.const 288))
      (if (i32.load8_u (i32.const 292)) (then unreachable))
      (call $clear_state (i32.const 320))
      (if (i32.load8_u (i32.const 320)) (then unreachable))
      (call $ok (i32.load (i32.const 264)) (i32.load (i32.const 268)))";
    let execution = world.survives(Run::of(&Guest { imports: STATE, ..Guest::running(body) })).await;
    assert_eq!(execution.outcome, Outcome::Success(json("{}")));
    assert_eq!(execution.receipt.host_calls, 4);
}

async fn a_child_is_submitted_and_waited_for(world: World) {
    // Waits a millisecond for a child that nobody runs: it is pending, the last case of its outcome.
    let body = "
      (call $submit (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (i32.store (i32.const 320) (i32.load (i32.const 260))) (i32.store (i32.const 324) (i32.load (i32.const 264)))
      (call $wait (i32.const 320) (i32.const 1) (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (if (i32.ne (i32.load (i32.const 264)) (i32.const 1)) (then unreachable))
      (if (i32.ne (i32.load8_u (i32.load (i32.const 260))) (i32.const 4)) (then unreachable))
      (call $ok (i32.const 65) (i32.const 2))";
    let execution = world.run(Run::of(&Guest { imports: REQUESTS, ..Guest::running(body) })).await;
    assert_eq!(execution.outcome, Outcome::Success(json("{}")));
}
