//! The memory of all guests of a node together.

use mogbox_core::{Limits, Outcome};
use mogbox_runtime::EngineSettings;

use crate::guests::{CONTEXT, Guest};
use crate::parking::ENTRY;
use crate::world::{Run, World};

/// A node for one guest with a few MiB.
fn narrow() -> World {
    World::with(&EngineSettings { max_instances: 16, guest_memory: 4 << 20, ..EngineSettings::default() })
}

fn put_off(outcome: &Outcome) -> &str {
    let Outcome::Unavailable(text) = outcome else { panic!("{outcome:?}") };
    assert!(text.contains("may hold 4MiB of memory together") && text.ends_with("(guest_memory)"), "{text}");
    text
}

#[tokio::test]
async fn a_guest_that_grows_beyond_what_the_node_has_is_put_off() {
    let creeping = "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable";
    let execution = narrow().survives(Run::of(&Guest::running(creeping))).await;
    put_off(&execution.outcome);
}

#[tokio::test]
async fn a_guest_that_starts_with_more_than_the_node_has_is_put_off() {
    let execution = narrow().survives(Run::of(&Guest { pages: 100, ..Guest::default() })).await;
    put_off(&execution.outcome);
}

#[tokio::test]
async fn a_guest_that_takes_a_refusal_well_goes_on() {
    let asking = "(drop (memory.grow (i32.const 1000))) (call $ok (i32.load (local.get $args)) (i32.load offset=4 (local.get $args)))";
    assert!(matches!(narrow().survives(Run::of(&Guest::running(asking))).await.outcome, Outcome::Success(_)));
}

#[tokio::test]
async fn a_guest_finds_no_room_beside_one_that_holds_it() {
    let world = narrow();
    let holding = "(drop (memory.grow (i32.const 46))) (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256))
        (loop $again (br $again)) unreachable";
    let run = Run::of(&Guest { imports: CONTEXT, items: ENTRY, ..Guest::running(holding) });
    let stop = run.stop.clone();
    let holder = world.start(run.within(Limits { cpu_time: 3_600_000, ..Limits::default() }));
    world.reached().await;
    put_off(&world.run(Run::of(&Guest::default())).await.outcome);
    stop.force(mogbox_core::executor::StopReason::Revoked);
    holder.await.unwrap();
    world.still_serves().await;
}
