//! The life of a result: created once, counted exactly, final for ever, written by the last attempt only.

use mogbox_core::ids::RequestId;
use mogbox_core::result::{RequestResult, State};
use mogbox_core::store::{Start, Step, Transition, Transitioned, Waits};

use super::world::{FINAL, World, begins, entries, finish, now, request, resume, start};
use crate::harness::on_both;

on_both! { World;
    a_new_request_is_pending_with_its_metadata_and_parent
    creating_twice_changes_nothing
    every_step_is_counted_and_stamped
    the_waits_of_an_attempt_leave_no_trace_in_the_counts_when_it_ends
    a_task_that_asks_for_a_retry_is_counted_until_it_is_done
    a_step_that_is_sent_again_counts_once
    a_start_that_comes_with_the_end_leaves_what_it_leaves_when_stored_before
    a_start_that_comes_along_counts_once_however_often_it_is_sent
    a_late_attempt_that_brings_its_start_is_fenced_off
    an_attempt_that_crashed_leaves_a_start_without_a_stop
    a_request_can_end_without_having_started
    a_final_result_never_changes
    a_late_attempt_is_fenced_off
    a_step_of_an_unknown_request_finds_nothing
    another_tenant_sees_nothing
    results_are_read_in_the_order_asked
    a_text_of_the_arguments_that_is_long_is_cut
}

async fn a_new_request_is_pending_with_its_metadata_and_parent(world: World) {
    let (mut request, at) = (request(), now());
    let parent = RequestId::random();
    request.stack = vec![RequestId::random(), parent];
    request.metadata = entries([("user", r#""x""#), ("n", r#"{"a": [1, null, true]}"#)]);
    request.kwargs_repr = Some("1, 'ü'".to_owned());
    assert!(world.results.create(&world.tenant, &request, at).await.unwrap());

    let result = world.result(request.id).await;
    assert_eq!((result.id, result.state, result.name.as_deref()), (request.id, State::Pending, Some("demo.add")));
    assert_eq!((result.number_of_starts, result.number_of_stops, result.retries), (0, 0, 0));
    assert_eq!((result.parent_id, result.created, result.started, result.finished), (Some(parent), Some(at), None, None));
    assert_eq!((result.node_id, result.request_kwargs_repr.as_deref()), (None, Some("1, 'ü'")));
    assert_eq!(world.results.metadata(&world.tenant, request.id).await.unwrap(), Some(request.metadata.sorted()));
    assert_eq!(world.results.children(&world.tenant, parent).await.unwrap(), [request.id]);
    assert_eq!(world.results.value(&world.tenant, request.id).await.unwrap(), None);
}

async fn creating_twice_changes_nothing(world: World) {
    let mut request = request();
    request.metadata = entries([("k", "1")]);
    assert!(world.results.create(&world.tenant, &request, now()).await.unwrap());
    world.step(request.id, 1, start()).await;
    let before = world.result(request.id).await;
    request.metadata = entries([("k", "2"), ("l", "3")]);
    assert!(!world.results.create(&world.tenant, &request, now()).await.unwrap());
    assert_eq!(world.result(request.id).await, before);
    assert_eq!(world.results.metadata(&world.tenant, request.id).await.unwrap(), Some(entries([("k", "1")])));
}

async fn every_step_is_counted_and_stamped(world: World) {
    let (id, at) = (world.submitted().await, now());
    assert_eq!(world.step(id, 1, Transition::Start(Start { node_id: "node-7".parse().unwrap(), at })).await, Transitioned::Applied);
    assert_eq!(world.counters(id).await, (State::Running, 1, 0, 0));
    let result = world.result(id).await;
    assert_eq!((result.started, result.node_id.as_deref()), (Some(at), Some("node-7")));
    world.step(id, 1, Transition::Suspend).await;
    assert_eq!(world.counters(id).await, (State::Suspended, 1, 1, 0));
    world.step(id, 1, resume()).await;
    assert_eq!(world.counters(id).await, (State::Running, 2, 1, 0));
    assert_eq!(world.result(id).await.node_id.as_deref(), Some("node-1"));
    let end = finish(State::Success);
    world.step(id, 1, end.clone()).await;
    assert_eq!(world.counters(id).await, (State::Success, 2, 2, 0));
    let Transition::Finish { at: ended, .. } = end else { unreachable!() };
    assert_eq!((world.result(id).await.started, world.result(id).await.finished), (Some(at), Some(ended)));
}

async fn the_waits_of_an_attempt_leave_no_trace_in_the_counts_when_it_ends(world: World) {
    for (last, resumed) in [(resume(), 2), (Transition::Suspend, 1)] {
        let id = world.running().await;
        for step in [Transition::Suspend, resume(), Transition::Suspend, last] {
            world.step(id, 1, step).await;
        }
        let Transition::Finish { state, value, at, report, .. } = finish(State::Success) else { unreachable!() };
        let waits = Waits { suspended: 2, resumed };
        world.step(id, 1, Transition::Finish { state, value, at, report, waits, kept_state: true }).await;
        assert_eq!(world.counters(id).await, (State::Success, 1, 1, 0));
    }
}

async fn a_task_that_asks_for_a_retry_is_counted_until_it_is_done(world: World) {
    let id = world.running().await;
    world.step(id, 1, Transition::Retry).await;
    assert_eq!(world.counters(id).await, (State::Suspended, 1, 1, 1));
    world.step(id, 2, start()).await;
    world.step(id, 2, Transition::Retry).await;
    assert_eq!(world.counters(id).await, (State::Suspended, 2, 2, 2));
    world.step(id, 3, start()).await;
    world.step(id, 3, finish(State::Failure)).await;
    assert_eq!(world.counters(id).await, (State::Failure, 3, 3, 0));
}

async fn a_step_that_is_sent_again_counts_once(world: World) {
    let id = world.submitted().await;
    for (step, expected) in [
        (start(), (State::Running, 1, 0, 0)),
        (Transition::Suspend, (State::Suspended, 1, 1, 0)),
        (resume(), (State::Running, 2, 1, 0)),
        (Transition::Retry, (State::Suspended, 2, 2, 1)),
    ] {
        assert_eq!(world.step(id, 1, step.clone()).await, Transitioned::Applied);
        assert_eq!(world.step(id, 1, step).await, Transitioned::Applied);
        assert_eq!(world.counters(id).await, expected);
    }
}

async fn a_start_that_comes_with_the_end_leaves_what_it_leaves_when_stored_before(world: World) {
    for retried in [false, true] {
        let [short, long] = [world.submitted().await, world.submitted().await];
        let fence = 1 + u32::from(retried);
        if retried {
            world.start_and(short, 1, Transition::Retry).await;
            world.step(long, 1, start()).await;
            world.step(long, 1, Transition::Retry).await;
        }
        let (begins, end) = (begins(), finish(State::Success));
        let both = Step { tenant: world.tenant.clone(), id: short, fence, start: Some(begins.clone()), transition: end.clone() };
        assert_eq!(world.results.transition_all(&[&both]).await, [Ok(Transitioned::Applied)]);
        world.step(long, fence, Transition::Start(begins)).await;
        world.step(long, fence, end).await;
        let (short, long) = (world.result(short).await, world.result(long).await);
        assert_eq!((short.number_of_starts, short.number_of_stops, short.started.is_some()), (fence, fence, true));
        assert_eq!(RequestResult { id: long.id, created: long.created, ..short }, long);
    }
}

async fn a_start_that_comes_along_counts_once_however_often_it_is_sent(world: World) {
    let id = world.submitted().await;
    for _ in 0..2 {
        assert_eq!(world.start_and(id, 1, Transition::Suspend).await, Transitioned::Applied);
        assert_eq!(world.counters(id).await, (State::Suspended, 1, 1, 0));
    }
    // The start alone, sent before and late: it is known.
    assert_eq!(world.step(id, 1, start()).await, Transitioned::Applied);
    assert_eq!(world.counters(id).await, (State::Suspended, 1, 1, 0));
    world.step(id, 2, start()).await;
    assert_eq!(world.start_and(id, 2, finish(State::Success)).await, Transitioned::Applied);
    assert_eq!(world.start_and(id, 2, finish(State::Success)).await, Transitioned::Final(State::Success));
    assert_eq!(world.counters(id).await, (State::Success, 2, 2, 0));
}

async fn a_late_attempt_that_brings_its_start_is_fenced_off(world: World) {
    let id = world.submitted().await;
    world.step(id, 3, start()).await;
    let before = world.result(id).await;
    for step in [Transition::Suspend, Transition::Retry, finish(State::Success)] {
        assert_eq!(world.start_and(id, 2, step).await, Transitioned::Fenced);
    }
    assert_eq!(world.result(id).await, before);
    // A start that is not stored yet fences nobody off.
    let id = world.submitted().await;
    assert_eq!(world.start_and(id, 2, finish(State::Failure)).await, Transitioned::Applied);
    assert_eq!(world.start_and(id, 3, finish(State::Success)).await, Transitioned::Final(State::Failure));
}

async fn an_attempt_that_crashed_leaves_a_start_without_a_stop(world: World) {
    let id = world.running().await;
    world.step(id, 2, start()).await;
    assert_eq!(world.counters(id).await, (State::Running, 2, 0, 0));
    assert_eq!(world.result(id).await.unexpected_retries(), 2);
}

async fn a_request_can_end_without_having_started(world: World) {
    let id = world.submitted().await;
    assert_eq!(world.step(id, 1, finish(State::Invalid)).await, Transitioned::Applied);
    assert_eq!(world.counters(id).await, (State::Invalid, 0, 1, 0));
}

async fn a_final_result_never_changes(world: World) {
    for state in FINAL {
        let id = world.finished(state).await;
        let (before, value) = (world.result(id).await, world.results.value(&world.tenant, id).await.unwrap());
        let others = FINAL.map(finish);
        for step in [start(), resume(), Transition::Suspend, Transition::Retry].into_iter().chain(others) {
            assert_eq!(world.step(id, 9, step).await, Transitioned::Final(state));
        }
        assert_eq!(world.revoke(id).await, Some(state));
        assert_eq!(world.result(id).await, before);
        assert_eq!(world.results.value(&world.tenant, id).await.unwrap(), value);
    }
}

async fn a_late_attempt_is_fenced_off(world: World) {
    let id = world.running().await;
    world.step(id, 3, start()).await;
    let before = world.result(id).await;
    for step in [start(), resume(), Transition::Suspend, Transition::Retry, finish(State::Success)] {
        assert_eq!(world.step(id, 2, step).await, Transitioned::Fenced);
    }
    assert_eq!(world.result(id).await, before);
    assert_eq!(world.step(id, 3, finish(State::Success)).await, Transitioned::Applied);
}

async fn a_step_of_an_unknown_request_finds_nothing(world: World) {
    let id = RequestId::random();
    for step in [start(), resume(), Transition::Suspend, Transition::Retry, finish(State::Success)] {
        assert_eq!(world.step(id, 1, step).await, Transitioned::Missing);
    }
    assert_eq!(world.results.read(&world.tenant, &[id]).await.unwrap(), [None]);
}

async fn another_tenant_sees_nothing(world: World) {
    let id = world.finished(State::Success).await;
    let stranger = crate::harness::fresh_tenant();
    assert_eq!(world.results.read(&stranger, &[id]).await.unwrap(), [None]);
    assert_eq!(world.results.value(&stranger, id).await.unwrap(), None);
    assert_eq!(world.results.transition(&stranger, id, 9, &start()).await.unwrap(), Transitioned::Missing);
}

async fn a_text_of_the_arguments_that_is_long_is_cut(world: World) {
    let mut request = request();
    request.kwargs_repr = Some("x".repeat(1 << 20));
    world.results.create(&world.tenant, &request, now()).await.unwrap();
    assert_eq!(world.result(request.id).await.request_kwargs_repr.map(|text| text.len()), Some(16 << 10));
}

async fn results_are_read_in_the_order_asked(world: World) {
    let mut ids = futures::future::join_all((0..600).map(|_| world.submitted())).await;
    ids.insert(300, RequestId::random());
    let found = world.results.read(&world.tenant, &ids).await.unwrap();
    let expected: Vec<Option<RequestId>> = ids.iter().enumerate().map(|(at, id)| (at != 300).then_some(*id)).collect();
    assert_eq!(found.into_iter().map(|result| result.map(|result| result.id)).collect::<Vec<_>>(), expected);
}
