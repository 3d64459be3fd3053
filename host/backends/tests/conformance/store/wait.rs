//! Waiting for results: woken by their end, however many wait for however many.

use std::time::{Duration, Instant};

use futures::future::join_all;
use mogbox_core::ids::RequestId;
use mogbox_core::result::State;
use mogbox_core::store::WaitMode;

use super::world::{World, finish, soon};
use crate::harness::on_both;

on_both! { World;
    a_waiter_is_woken_by_the_end_of_a_request
    a_waiter_is_woken_by_a_revocation
    a_waiter_for_any_is_woken_by_the_first
    a_waiter_for_all_is_woken_by_the_last
    a_result_that_is_final_or_missing_is_not_waited_for
    waits_in_a_row_are_woken_by_the_news_and_not_by_the_slow_look
    one_waiter_waits_for_a_thousand_results
    ten_thousand_waiters_are_woken
}

async fn wait(world: &World, ids: Vec<RequestId>, mode: WaitMode) -> Vec<Option<State>> {
    let found = soon(world.results.wait(&world.tenant, &ids, mode)).await.unwrap();
    found.into_iter().map(|result| result.map(|result| result.state)).collect()
}

async fn a_waiter_is_woken_by_the_end_of_a_request(world: World) {
    let id = world.running().await;
    let (states, _) = tokio::join!(wait(&world, vec![id], WaitMode::All), world.step(id, 1, finish(State::Failure)));
    assert_eq!(states, [Some(State::Failure)]);
}

async fn a_waiter_is_woken_by_a_revocation(world: World) {
    let id = world.submitted().await;
    let (states, _) = tokio::join!(wait(&world, vec![id], WaitMode::All), world.revoke(id));
    assert_eq!(states, [Some(State::Revoked)]);
}

async fn a_waiter_for_any_is_woken_by_the_first(world: World) {
    let (one, two) = (world.running().await, world.running().await);
    let (states, _) = tokio::join!(wait(&world, vec![one, two, one], WaitMode::Any), world.step(two, 1, finish(State::Success)));
    assert_eq!(states, [Some(State::Running), Some(State::Success), Some(State::Running)]);
}

async fn a_waiter_for_all_is_woken_by_the_last(world: World) {
    let (one, two) = (world.running().await, world.running().await);
    let ends = async {
        world.step(two, 1, finish(State::Success)).await;
        world.step(one, 1, finish(State::Invalid)).await;
    };
    let (states, ()) = tokio::join!(wait(&world, vec![one, two, one], WaitMode::All), ends);
    assert_eq!(states, [Some(State::Invalid), Some(State::Success), Some(State::Invalid)]);
}

async fn a_result_that_is_final_or_missing_is_not_waited_for(world: World) {
    let (done, open, unknown) = (world.finished(State::Success).await, world.running().await, RequestId::random());
    assert_eq!(wait(&world, vec![unknown], WaitMode::All).await, [None]);
    assert_eq!(wait(&world, vec![done, unknown], WaitMode::All).await, [Some(State::Success), None]);
    assert_eq!(wait(&world, vec![open, done], WaitMode::Any).await, [Some(State::Running), Some(State::Success)]);
    assert_eq!(wait(&world, vec![open, unknown], WaitMode::Any).await, [Some(State::Running), None]);
    assert!(wait(&world, vec![], WaitMode::All).await.is_empty());
    assert!(wait(&world, vec![], WaitMode::Any).await.is_empty());
}

async fn waits_in_a_row_are_woken_by_the_news_and_not_by_the_slow_look(world: World) {
    let started = Instant::now();
    for _ in 0..40 {
        let id = world.running().await;
        let (states, _) = tokio::join!(wait(&world, vec![id], WaitMode::All), world.step(id, 1, finish(State::Success)));
        assert_eq!(states, [Some(State::Success)]);
    }
    // By the slow look alone it would take half a second each.
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

async fn one_waiter_waits_for_a_thousand_results(world: World) {
    let ids = join_all((0..1_000).map(|_| world.running())).await;
    let ends = join_all(ids.iter().map(|id| world.step(*id, 1, finish(State::Success))));
    let (states, _) = tokio::join!(wait(&world, ids.clone(), WaitMode::All), ends);
    assert_eq!(states, vec![Some(State::Success); 1_000]);
}

async fn ten_thousand_waiters_are_woken(world: World) {
    let ids = join_all((0..100).map(|_| world.running())).await;
    let waiters = join_all((0..10_000).map(|n| wait(&world, vec![ids[n % 100]], WaitMode::All)));
    let ends = join_all(ids.iter().map(|id| world.step(*id, 1, finish(State::Success))));
    let (states, _) = tokio::join!(waiters, ends);
    assert!(states.into_iter().all(|states| states == [Some(State::Success)]));
}
