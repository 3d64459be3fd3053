//! Hundreds of guests in the places of others: whatever one left, in whatever way it ended, the next one finds nothing.

use mogbox_core::{Bound, Outcome};
use mogbox_fixtures::residue::{Act, component};
use mogbox_runtime::{Allocation, EngineSettings};

use crate::guests::Guest;
use crate::world::{Run, World, json};

/// Guests of a tenant that leaves and of one that looks, in turn. There are four places for memory where there is one for a guest,
/// so that a hundred runs use each of them again and again.
const TURNS: usize = 100;

fn run(module: &[u8], act: Act) -> Run {
    let mut run = Run::of(&Guest::default());
    run.module = module.to_vec();
    run.args = vec![json(&act.argument().to_string())];
    run.limits.cpu_time = if act == Act::LeaveAndLoop { 50 } else { run.limits.cpu_time };
    run
}

async fn leave(world: &World, module: &[u8], turn: usize) {
    let act = [Act::Leave, Act::LeaveAndTrap, Act::Leave, Act::LeaveAndLoop][turn % 4];
    let outcome = world.run(run(module, act)).await.outcome;
    let as_expected = match act {
        Act::LeaveAndTrap => matches!(&outcome, Outcome::Trapped { class, .. } if class == "unreachable"),
        Act::LeaveAndLoop => matches!(outcome, Outcome::OverBound { bound: Bound::CpuTime, .. }),
        _ => outcome == Outcome::Success(json("\"clean\"")),
    };
    assert!(as_expected, "turn {turn}: {act:?} ended with {outcome:?}");
}

async fn look(world: &World, module: &[u8], turn: usize) {
    let outcome = world.run(run(module, Act::Look)).await.outcome;
    assert_eq!(outcome, Outcome::Success(json("\"clean\"")), "turn {turn}");
}

async fn take_turns(settings: &EngineSettings, turns: usize, pages: u32) {
    let world = World::with(settings);
    // The same module comes into a place that was its own before; another one into one that it has to make anew.
    let (keeper, spy) = (component("keeper", pages), component("spy", pages));
    for turn in 0..turns {
        leave(&world, &keeper, turn).await;
        look(&world, if turn % 2 == 0 { &spy } else { &keeper }, turn).await;
    }
}

fn one_place(keep_resident: usize) -> EngineSettings {
    EngineSettings { max_instances: 1, keep_resident, ..EngineSettings::default() }
}

#[tokio::test]
async fn who_looks_sees_what_is_there() {
    let outcome = World::new().run(run(&component("keeper", 64), Act::LeaveAndLook)).await.outcome;
    assert_eq!(outcome, Outcome::Success(json("\"seen\"")));
}

#[tokio::test]
async fn nothing_is_left_in_memory_that_is_given_back() {
    take_turns(&one_place(0), TURNS, 64).await;
}

#[tokio::test]
async fn nothing_is_left_in_memory_that_is_kept_for_the_next() {
    for pages in [3, 7, 8, 9, 10, 64] {
        take_turns(&one_place(EngineSettings::default().keep_resident), TURNS / 4, pages).await;
    }
    take_turns(&one_place(64 << 20), TURNS, 64).await;
}

#[tokio::test]
async fn nothing_is_left_in_all_the_memory_that_a_guest_may_have() {
    take_turns(&one_place(EngineSettings::default().keep_resident), 20, 1_000).await;
}

#[tokio::test]
async fn nothing_is_left_where_the_system_gives_memory_anew() {
    take_turns(&EngineSettings { allocation: Allocation::OnDemand, ..one_place(0) }, 20, 64).await;
}

#[tokio::test]
async fn nothing_is_seen_of_guests_that_live_at_the_same_time() {
    let world = World::with(&EngineSettings { max_instances: 4, ..EngineSettings::default() });
    let (keeper, spy) = (component("keeper", 64), component("spy", 64));
    for _ in 0..TURNS {
        let runs = [(&keeper, Act::Leave), (&spy, Act::Look), (&keeper, Act::Look), (&spy, Act::Leave)];
        let started: Vec<_> = runs.into_iter().map(|(module, act)| world.start(run(module, act))).collect();
        for run in started {
            assert_eq!(run.await.unwrap().outcome, Outcome::Success(json("\"clean\"")));
        }
    }
}
