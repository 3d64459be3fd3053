//! The memory of all guests of a node together, and of those of one tenant.

use mogbox_core::executor::StopReason;
use mogbox_core::{Bound, Execution, Limits, Outcome, Stop};
use mogbox_runtime::EngineSettings;
use tokio::task::JoinHandle;

use crate::guests::{CONTEXT, Guest};
use crate::parking::ENTRY;
use crate::world::{Run, World};

/// A node for one guest with a few MiB.
fn narrow() -> World {
    World::with(&EngineSettings { max_instances: 16, guest_memory: 4 << 20, ..EngineSettings::default() })
}

/// Tenants may use all of the node.
fn unshared() -> Limits {
    Limits { tenant_memory: 100, cpu_time: 3_600_000, ..Limits::default() }
}

fn put_off(outcome: &Outcome) -> &str {
    let Outcome::Unavailable(text) = outcome else { panic!("{outcome:?}") };
    text
}

fn put_off_by_the_node(outcome: &Outcome) {
    let text = put_off(outcome);
    assert!(text.contains("may hold 4MiB of memory together") && text.ends_with("(guest_memory)"), "{text}");
}

#[tokio::test]
async fn a_guest_that_grows_beyond_what_the_node_has_is_put_off() {
    let creeping = "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable";
    let execution = narrow().survives(Run::of(&Guest::running(creeping)).within(unshared())).await;
    put_off_by_the_node(&execution.outcome);
}

#[tokio::test]
async fn a_guest_that_starts_with_more_than_the_node_has_is_put_off() {
    let execution = narrow().survives(Run::of(&Guest { pages: 100, ..Guest::default() }).within(unshared())).await;
    put_off_by_the_node(&execution.outcome);
}

#[tokio::test]
async fn a_guest_that_takes_a_refusal_well_goes_on() {
    let asking = "(drop (memory.grow (i32.const 1000))) (call $ok (i32.load (local.get $args)) (i32.load offset=4 (local.get $args)))";
    assert!(matches!(narrow().survives(Run::of(&Guest::running(asking))).await.outcome, Outcome::Success(_)));
}

/// A guest of so many pages that spins for ever, once it has taken them.
async fn hold(world: &World, pages: u32, limits: Limits) -> (Stop, JoinHandle<Execution>) {
    let holding = format!(
        "(drop (memory.grow (i32.const {}))) (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256))
         (loop $again (br $again)) unreachable",
        pages - 1
    );
    let run = Run::of(&Guest { imports: CONTEXT, items: ENTRY, ..Guest::running(&holding) }).within(limits);
    let stop = run.stop.clone();
    let holder = world.start(run);
    world.reached().await;
    (stop, holder)
}

#[tokio::test]
async fn a_guest_finds_no_room_beside_one_that_holds_it() {
    let world = narrow();
    let (stop, holder) = hold(&world, 47, unshared()).await;
    put_off_by_the_node(&world.run(Run::of(&Guest::default()).within(unshared())).await.outcome);
    stop.force(StopReason::Revoked);
    holder.await.unwrap();
    world.still_serves().await;
}

#[tokio::test]
async fn a_tenant_that_takes_all_it_may_leaves_room_for_another() {
    let world = narrow();
    let (stop, holder) = hold(&world, 20, Limits { cpu_time: 3_600_000, ..Limits::default() }).await;
    let outcome = world.run(Run::of(&Guest::default())).await.outcome;
    let text = put_off(&outcome);
    assert!(text.starts_with("the guests of tenant default that are alive on this node may hold 2MiB of memory together"), "{text}");
    assert!(text.ends_with(&Limits::default().explain(Bound::TenantMemory)), "{text}");
    let other = Run { tenant: "other".parse().unwrap(), ..Run::of(&Guest::default()) };
    assert!(matches!(world.run(other).await.outcome, Outcome::Success(_)));
    stop.force(StopReason::Revoked);
    holder.await.unwrap();
    world.still_serves().await;
}

#[tokio::test]
async fn guests_of_a_tenant_that_grow_beyond_its_share_are_put_off() {
    let world = narrow();
    let creeping = "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable";
    for guest in [Guest::running(creeping), Guest { pages: 40, ..Guest::default() }] {
        let execution = world.survives(Run::of(&guest)).await;
        assert!(put_off(&execution.outcome).starts_with("the guests of tenant default"), "{:?}", execution.outcome);
    }
}
