//! Revocation: before, during and after the run, and of a request that nobody knows.

use mogbox_core::ids::RequestId;
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{Transition, Transitioned};

use super::world::{World, finish, now, request, resume, start};
use crate::harness::on_both;

on_both! { World;
    a_request_is_revoked_before_it_runs
    a_request_is_revoked_while_it_runs_and_its_late_value_is_refused
    a_request_that_is_revoked_before_its_start_is_stored_stays_revoked
    a_finished_request_is_left_as_it_is
    an_unknown_request_is_revoked_before_it_comes
}

async fn a_request_is_revoked_before_it_runs(world: World) {
    let (id, at) = (world.submitted().await, now());
    assert_eq!(world.results.revoke(&world.tenant, id, at).await.unwrap(), Some(State::Pending));
    assert_eq!(world.counters(id).await, (State::Revoked, 0, 1, 0));
    assert_eq!(world.result(id).await.finished, Some(at));
    assert_eq!(world.step(id, 1, start()).await, Transitioned::Final(State::Revoked));
    assert_eq!(world.revoke(id).await, Some(State::Revoked));
}

async fn a_request_is_revoked_while_it_runs_and_its_late_value_is_refused(world: World) {
    for suspended in [false, true] {
        let id = world.running().await;
        if suspended {
            world.step(id, 1, Transition::Suspend).await;
        }
        let (before, stops) = if suspended { (State::Suspended, 2) } else { (State::Running, 1) };
        assert_eq!(world.revoke(id).await, Some(before));
        assert_eq!(world.step(id, 1, resume()).await, Transitioned::Final(State::Revoked));
        assert_eq!(world.step(id, 1, finish(State::Success)).await, Transitioned::Final(State::Revoked));
        assert_eq!(world.counters(id).await, (State::Revoked, 1, stops, 0));
        assert_eq!(world.results.value(&world.tenant, id).await.unwrap(), Some(Value::Exception(Exception::NotReady)));
    }
}

async fn a_request_that_is_revoked_before_its_start_is_stored_stays_revoked(world: World) {
    let id = world.submitted().await;
    world.revoke(id).await;
    let before = world.result(id).await;
    assert_eq!(world.start_and(id, 1, finish(State::Success)).await, Transitioned::Final(State::Revoked));
    assert_eq!(world.result(id).await, before);
}

async fn a_finished_request_is_left_as_it_is(world: World) {
    let id = world.finished(State::Success).await;
    let before = world.result(id).await;
    assert_eq!(world.revoke(id).await, Some(State::Success));
    assert_eq!(world.result(id).await, before);
    assert!(matches!(world.results.value(&world.tenant, id).await.unwrap(), Some(Value::Success(_))));
}

async fn an_unknown_request_is_revoked_before_it_comes(world: World) {
    let (mut request, at) = (request(), now());
    request.stack = vec![RequestId::random()];
    assert_eq!(world.results.revoke(&world.tenant, request.id, at).await.unwrap(), None);
    let result = world.result(request.id).await;
    assert_eq!((result.name.as_deref(), result.created, result.finished), (None, None, Some(at)));
    assert_eq!(world.counters(request.id).await, (State::Revoked, 0, 1, 0));
    assert!(!world.results.create(&world.tenant, &request, now()).await.unwrap());
    assert_eq!(world.result(request.id).await, result);
    assert_eq!(world.results.children(&world.tenant, request.stack[0]).await.unwrap(), [request.id]);
}
