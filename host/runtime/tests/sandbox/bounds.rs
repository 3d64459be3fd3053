//! Memory, stack and host calls: a guest that goes over a bound is told which, and only it ends.

use mogbox_core::{Bound, Limits, Outcome};

use crate::guests::{CONTEXT, Guest, WASI};
use crate::world::{Run, World};

on_both! {
    four_gibibytes_are_refused_with_the_bound_named
    growing_in_small_steps_gets_no_further
    tables_count_as_memory
    a_module_that_starts_out_over_the_bound_does_not_start
    a_bomb_of_host_calls_ends_at_the_bound
    setting_no_metadata_costs_no_access_to_the_store
    a_start_function_that_loops_or_traps_ends_the_attempt
    a_bomb_of_wasi_calls_ends_soon_after_the_bound
    timers_that_are_never_dropped_do_not_pile_up
    a_list_that_would_fill_the_host_is_not_even_copied
    a_value_somewhat_over_its_bound_is_answered_with_an_error
    empty_entries_count_too
    random_bytes_are_given_in_bounded_pieces
}

fn over(bound: Bound, limit: &str) -> Outcome {
    Outcome::OverBound { bound, limit: limit.into() }
}

async fn four_gibibytes_are_refused_with_the_bound_named(world: World) {
    let greedy = "(if (i32.lt_s (memory.grow (i32.const 65533)) (i32.const 0)) (then unreachable)) (i32.const 0)";
    let execution = world.survives(Run::of(&Guest::running(greedy))).await;
    assert_eq!(execution.outcome, over(Bound::Memory, "64MiB"));
    assert_eq!(execution.receipt.peak_memory, 2 * 65_536);
    let text = Limits::default().explain(Bound::Memory);
    assert_eq!(text, "over the bound memory of 64MiB; a node started with --limit memory=VALUE raises it, up to 4GiB");
}

async fn growing_in_small_steps_gets_no_further(world: World) {
    let creeping = "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable";
    let execution = world.survives(Run::of(&Guest::running(creeping))).await;
    assert_eq!(execution.outcome, over(Bound::Memory, "64MiB"));
    assert_eq!(execution.receipt.peak_memory, 64 << 20);
}

async fn tables_count_as_memory(world: World) {
    let guest = Guest {
        items: "(table $t 1 funcref)",
        ..Guest::running("(if (i32.lt_s (table.grow $t (ref.null func) (i32.const 60000)) (i32.const 0)) (then unreachable)) (i32.const 0)")
    };
    let tight = Limits { memory: 256 << 10, ..Limits::default() };
    assert_eq!(world.survives(Run::of(&guest).within(tight)).await.outcome, over(Bound::Memory, "256KiB"));
}

async fn a_module_that_starts_out_over_the_bound_does_not_start(world: World) {
    let tight = Limits { memory: 64 << 10, ..Limits::default() };
    assert_eq!(world.survives(Run::of(&Guest::default()).within(tight)).await.outcome, over(Bound::Memory, "64KiB"));
}

async fn a_bomb_of_host_calls_ends_at_the_bound(world: World) {
    let bomb = Guest { imports: CONTEXT, ..Guest::running("(loop $again (drop (call $cancelled)) (br $again)) unreachable") };
    let execution = world.survives(Run::of(&bomb)).await;
    assert_eq!(execution.outcome, over(Bound::HostCalls, "100000"));
    assert_eq!(execution.receipt.host_calls, 100_001);
}

async fn setting_no_metadata_costs_no_access_to_the_store(world: World) {
    let body = "(call $set_metadata (i32.const 0) (i32.const 0) (i32.const 256))
        (if (i32.load8_u (i32.const 256)) (then unreachable)) (call $ok (i32.const 65) (i32.const 2))";
    let execution = world.survives(Run::of(&Guest { imports: CONTEXT, ..Guest::running(body) })).await;
    assert!(matches!(execution.outcome, Outcome::Success(_)), "{:?}", execution.outcome);
    assert_eq!((execution.receipt.host_calls, world.memory.reached.available_permits()), (1, 0));
}

async fn a_start_function_that_loops_or_traps_ends_the_attempt(world: World) {
    let starting = |body: &str| {
        let items = format!("(func $start {body}) (start $start)");
        Run::of(&Guest { items: &items, ..Guest::default() }).within(Limits { cpu_time: 30, ..Limits::default() })
    };
    assert_eq!(world.survives(starting("(loop $again (br $again))")).await.outcome, over(Bound::CpuTime, "30ms"));
    let execution = world.survives(starting("unreachable")).await;
    assert!(matches!(&execution.outcome, Outcome::Trapped { class, .. } if class == "unreachable"), "{:?}", execution.outcome);
}

async fn a_bomb_of_wasi_calls_ends_soon_after_the_bound(world: World) {
    let body = "(loop $again (drop (call $now)) (br $again)) unreachable";
    let bomb = Guest { world: "with-wasi", imports: WASI, ..Guest::running(body) };
    assert_eq!(world.survives(Run::of(&bomb)).await.outcome, over(Bound::HostCalls, "100000"));
}

async fn timers_that_are_never_dropped_do_not_pile_up(world: World) {
    let body = "(loop $again (drop (call $subscribe (i64.const 1000000000000))) (br $again)) unreachable";
    let hoarder = Guest { world: "with-wasi", imports: WASI, ..Guest::running(body) };
    let execution = world.survives(Run::of(&hoarder)).await;
    assert!(matches!(&execution.outcome, Outcome::Trapped { class, .. } if class == "invalid-call"), "{:?}", execution.outcome);
    assert!(execution.receipt.host_calls < 5_000);
}

async fn a_list_that_would_fill_the_host_is_not_even_copied(world: World) {
    let body =
        "(drop (memory.grow (i32.const 1000))) (call $set_metadata (i32.const 65536) (i32.const 4000000) (i32.const 256)) (i32.const 0)";
    let execution = world.survives(Run::of(&Guest { imports: CONTEXT, ..Guest::running(body) })).await;
    let Outcome::Trapped { class, message } = execution.outcome else { panic!("{:?}", execution.outcome) };
    assert_eq!(class, "too-large");
    let expected = "one call brings more than 5505024 bytes to the host, which is more than any of the bounds allows: result of 4MiB, \
                    state of 4MiB, arguments of 1MiB, metadata of 256KiB, log of 256KiB\n";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!((execution.receipt.host_calls, execution.receipt.host_bytes), (0, 0));
}

async fn a_value_somewhat_over_its_bound_is_answered_with_an_error(world: World) {
    // One entry whose value is 5 MiB of zeros, of 256 KiB that are allowed: the answer is `too-large`, the second case of `error`.
    let body = "(drop (memory.grow (i32.const 100)))
        (i32.store (i32.const 1024) (i32.const 64)) (i32.store (i32.const 1028) (i32.const 1))
        (i32.store (i32.const 1032) (i32.const 65536)) (i32.store (i32.const 1036) (i32.const 5242880))
        (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256))
        (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 1)) (then unreachable))
        (call $ok (i32.const 65) (i32.const 2))";
    let execution = world.survives(Run::of(&Guest { imports: CONTEXT, ..Guest::running(body) })).await;
    assert!(matches!(execution.outcome, Outcome::Success(_)), "{:?}", execution.outcome);
    assert_eq!(execution.receipt.host_calls, 1);
}

async fn empty_entries_count_too(world: World) {
    let body =
        "(drop (memory.grow (i32.const 800))) (call $set_metadata (i32.const 1048576) (i32.const 1000000) (i32.const 256)) (i32.const 0)";
    let guest = Guest { imports: CONTEXT, ..Guest::running(body) };
    let tight = Limits { host_bytes: 8 << 20, result: 64 << 20, ..Limits::default() };
    assert_eq!(world.survives(Run::of(&guest).within(tight)).await.outcome, over(Bound::HostBytes, "8MiB"));
}

async fn random_bytes_are_given_in_bounded_pieces(world: World) {
    let piece = |size: u64| format!("(call $random (i64.const {size}) (i32.const 256)) (call $ok (i32.const 65) (i32.const 2))");
    let guest = |body: &str| Run::of(&Guest { world: "with-wasi", imports: WASI, ..Guest::running(body) });
    assert!(matches!(world.run(guest(&piece(256 << 10))).await.outcome, Outcome::Success(_)));
    let execution = world.survives(guest(&piece((256 << 10) + 1))).await;
    assert!(matches!(&execution.outcome, Outcome::Trapped { class, .. } if class == "invalid-call"), "{:?}", execution.outcome);
}
