//! State: kept by key, within bounds, apart for each request, written by whoever holds the request.

use mogbox_core::ids::RequestId;
use mogbox_core::json::Json;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::result::State;
use mogbox_core::store::{Popped, Step, Transition, Transitioned, Written};

use super::world::{World, begins, finish, json, start};
use crate::harness::on_both;

on_both! { World;
    a_value_is_kept_until_it_is_popped_or_replaced
    clearing_removes_every_key_of_one_request
    state_over_its_bounds_is_refused
    an_attempt_that_lost_its_request_changes_nothing
    an_attempt_whose_request_is_done_changes_nothing
    an_attempt_whose_result_is_gone_changes_nothing
    the_host_clears_the_state_of_what_is_done_or_gone
    ends_with_and_without_state_go_together
}

async fn set(world: &World, id: RequestId, fence: u32, key: &str, value: &str) -> Written {
    world.state.set(&world.tenant, id, fence, key, &json(value), &Limits::default()).await.unwrap()
}

async fn get(world: &World, id: RequestId, key: &str) -> Option<Json> {
    world.state.get(&world.tenant, id, key).await.unwrap()
}

async fn pop(world: &World, id: RequestId, fence: u32, key: &str) -> Popped {
    world.state.pop(&world.tenant, id, fence, key).await.unwrap()
}

async fn clear(world: &World, id: RequestId, fence: Option<u32>) -> Written {
    world.state.clear(&world.tenant, id, fence).await.unwrap()
}

async fn a_value_is_kept_until_it_is_popped_or_replaced(world: World) {
    let id = world.running().await;
    assert_eq!(get(&world, id, "k").await, None);
    assert_eq!(set(&world, id, 1, "k", "1.0").await, Written::Stored);
    assert_eq!(set(&world, id, 1, "k", r#"{"é":[2]}"#).await, Written::Stored);
    assert_eq!(get(&world, id, "k").await, Some(json(r#"{"é":[2]}"#)));
    assert_eq!(pop(&world, id, 1, "k").await, Popped::Value(Some(json(r#"{"é":[2]}"#))));
    assert_eq!(pop(&world, id, 1, "k").await, Popped::Value(None));
    assert_eq!(get(&world, id, "k").await, None);
}

async fn clearing_removes_every_key_of_one_request(world: World) {
    let (one, two) = (world.running().await, world.running().await);
    for (id, key) in [(one, "a"), (one, "b"), (two, "a")] {
        set(&world, id, 1, key, "1").await;
    }
    for _ in 0..2 {
        assert_eq!(clear(&world, one, Some(1)).await, Written::Stored);
    }
    assert_eq!((get(&world, one, "a").await, get(&world, one, "b").await), (None, None));
    assert_eq!(get(&world, two, "a").await, Some(json("1")));
    set(&world, one, 1, "a", "2").await;
    assert_eq!(get(&world, one, "a").await, Some(json("2")));
}

async fn state_over_its_bounds_is_refused(world: World) {
    let (state, tenant, id) = (&world.state, &world.tenant, world.running().await);
    let limits = Limits { state_keys: 2, state: 12, ..Limits::default() };
    let set = async |key: &str, value: &str| state.set(tenant, id, 1, key, &json(value), &limits).await.unwrap();
    assert_eq!(set("ab", "123").await, Written::Stored);
    assert_eq!(set("cd", "123456").await, Written::OverBound(Bound::State));
    assert_eq!(set("cd", "12345").await, Written::Stored);
    assert_eq!(set("e", "1").await, Written::OverBound(Bound::StateKeys));
    assert_eq!(set("ab", "1234").await, Written::OverBound(Bound::State));
    assert_eq!(set("ab", "1").await, Written::Stored);
    assert_eq!(get(&world, id, "cd").await, Some(json("12345")));
}

/// Each way to write is refused so, and what is there stays.
async fn is_refused(world: &World, id: RequestId, fence: u32, (written, popped): (Written, Popped)) {
    let before = (get(world, id, "k").await, get(world, id, "l").await);
    assert_eq!(set(world, id, fence, "k", "9").await, written);
    assert_eq!(set(world, id, fence, "l", "9").await, written);
    assert_eq!(pop(world, id, fence, "k").await, popped);
    assert_eq!(clear(world, id, Some(fence)).await, written);
    assert_eq!((get(world, id, "k").await, get(world, id, "l").await), before);
}

const FENCED: (Written, Popped) = (Written::Fenced, Popped::Fenced);

async fn an_attempt_that_lost_its_request_changes_nothing(world: World) {
    let id = world.running().await;
    assert_eq!(set(&world, id, 1, "k", "1").await, Written::Stored);
    world.step(id, 2, start()).await;
    is_refused(&world, id, 1, FENCED).await;
    world.step(id, 2, Transition::Suspend).await;
    is_refused(&world, id, 1, FENCED).await;
    assert_eq!(pop(&world, id, 2, "k").await, Popped::Value(Some(json("1"))));
    assert_eq!(set(&world, id, 2, "k", "2").await, Written::Stored);
    assert_eq!(clear(&world, id, Some(2)).await, Written::Stored);
}

async fn an_attempt_whose_request_is_done_changes_nothing(world: World) {
    let (done, revoked) = (world.finished(State::Success).await, world.running().await);
    assert_eq!(set(&world, revoked, 1, "k", "1").await, Written::Stored);
    world.revoke(revoked).await;
    for id in [done, revoked] {
        is_refused(&world, id, 1, FENCED).await;
    }
}

async fn an_attempt_whose_result_is_gone_changes_nothing(world: World) {
    is_refused(&world, RequestId::random(), 1, (Written::Missing, Popped::Missing)).await;
}

async fn the_host_clears_the_state_of_what_is_done_or_gone(world: World) {
    let (id, gone) = (world.running().await, RequestId::random());
    set(&world, id, 1, "k", "1").await;
    world.revoke(id).await;
    for id in [id, gone] {
        assert_eq!(clear(&world, id, None).await, Written::Stored);
    }
    assert_eq!(get(&world, id, "k").await, None);
    let ended = world.running().await;
    set(&world, ended, 1, "k", "1").await;
    world.step(ended, 1, finish(State::Failure)).await;
    assert_eq!(get(&world, ended, "k").await, None);
}

async fn ends_with_and_without_state_go_together(world: World) {
    let (mut steps, mut requests) = (Vec::new(), Vec::new());
    for with_state in [true, false, true, false, true] {
        let id = world.submitted().await;
        if with_state {
            assert_eq!(set(&world, id, 1, "k", "1").await, Written::Stored);
        }
        let mut transition = finish(State::Success);
        if let Transition::Finish { kept_state, .. } = &mut transition {
            *kept_state = with_state;
        }
        requests.push(id);
        steps.push(Step { tenant: world.tenant.clone(), id, fence: 1, start: (!with_state).then(begins), transition });
    }
    let taken = world.results.transition_all(&steps.iter().collect::<Vec<_>>()).await;
    assert_eq!(taken, vec![Ok(Transitioned::Applied); 5]);
    for (id, step) in requests.into_iter().zip(steps) {
        assert_eq!(world.counters(id).await, (State::Success, u32::from(step.start.is_some()), 1, 0));
        assert_eq!(get(&world, id, "k").await, None);
    }
}
