//! Leases that are lost: the attempt is stopped, and nothing that it does counts any more.

use std::sync::Arc;

use mogbox_core::context::ContextError;
use mogbox_core::executor::StopReason;
use mogbox_core::outcome::Outcome;
use mogbox_core::result::{State, Value};

use crate::event::Event;
use crate::node::{Node, Options};
use crate::script::{Script, done, saw};
use crate::tap::Renewals;
use crate::world::{TASK, World, entries, json, on_all};

on_all! { World;
    an_attempt_whose_lease_another_node_took_is_stopped_and_writes_nothing
    an_attempt_whose_lease_cannot_be_renewed_is_stopped_before_it_ends
    an_attempt_that_is_late_without_knowing_is_fenced_off
}

/// Two nodes: the first runs the request, and the second, started only once the first one's lease can run out, takes it over.
struct TakenOver {
    first: Node,
    second: Node,
    id: mogbox_core::RequestId,
}

async fn taken_over(world: &World, script: &Arc<Script>, first_runs: &Event, second_runs: &Event) -> TakenOver {
    let first = world.node_with(script, Options::short_lease()).await;
    first.renewals(Renewals::Skipped);
    let id = world.submit_task(TASK).await;
    first_runs.happened().await;
    let second = world.node_with(script, Options { concurrency: 1, ..Options::default() }).await;
    second_runs.happened().await;
    world.runs(id, 2).await;
    TakenOver { first, second, id }
}

/// The second attempt: runs until it may finish.
fn second_attempt(script: Script, running: &Event, finish: &Event) -> Script {
    let (running, finish) = (running.clone(), finish.clone());
    script.then(TASK, |_| async move {
        running.happens();
        finish.happened().await;
        saw(&2)
    })
}

async fn an_attempt_whose_lease_another_node_took_is_stopped_and_writes_nothing(world: World) {
    let [first_runs, second_runs, stopped, finish] = [0; 4].map(|_| Event::new());
    let (started, has_stopped) = (first_runs.clone(), stopped.clone());
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        attempt.context.stop().forced().await;
        assert_eq!(attempt.context.stop().reason(), Some(StopReason::LeaseLost));
        let id = attempt.context.request().id;
        let denied = ContextError::Denied(format!("attempt 1 no longer holds request {id}"));
        assert_eq!(attempt.context.set_metadata(&entries([("by", "1")])).await, Err(denied.clone()));
        assert_eq!(attempt.context.set_state("by", &json("1")).await, Err(denied.clone()));
        assert_eq!(attempt.context.pop_state("by").await, Err(denied.clone()));
        assert_eq!(attempt.context.clear_state().await, Err(denied));
        has_stopped.happens();
        Outcome::Stopped(StopReason::LeaseLost)
    });
    let script = second_attempt(script, &second_runs, &finish).ready();
    let TakenOver { first, second, id } = taken_over(&world, &script, &first_runs, &second_runs).await;
    first.renewals(Renewals::Made);
    stopped.happened().await;
    first.shutdown().await;
    assert_eq!(world.counts(id).await, (State::Running, 2, 0));
    finish.happens();
    second.settled(1).await;
    assert_eq!((world.counts(id).await, world.value(id).await), ((State::Success, 2, 1), Value::Success(json("2"))));
    assert_eq!(world.results.metadata(&world.tenant, id).await.unwrap(), Some(entries([])));
}

async fn an_attempt_whose_lease_cannot_be_renewed_is_stopped_before_it_ends(world: World) {
    let [running, stopped] = [0; 2].map(|_| Event::new());
    let (started, has_stopped) = (running.clone(), stopped.clone());
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        attempt.context.stop().forced().await;
        has_stopped.happens();
        Outcome::Stopped(attempt.context.stop().reason().unwrap())
    });
    let script = script.answer(TASK, done()).ready();
    let node = world.node_with(&script, Options::lease_of_two_seconds()).await;
    node.renewals(Renewals::Refused);
    let id = world.submit_task(TASK).await;
    running.happened().await;
    stopped.happened().await;
    // The lease has not ended: the request is still this node's, as nothing was settled.
    assert_eq!((world.counts(id).await, node.settlements()), ((State::Running, 1, 0), vec![]));
    node.renewals(Renewals::Made);
    assert_eq!(world.end(id).await, (State::Success, 2, 1));
    assert_eq!(script.executed(TASK), [1, 2]);
}

async fn an_attempt_that_is_late_without_knowing_is_fenced_off(world: World) {
    let [first_runs, second_runs, late, finish] = [0; 4].map(|_| Event::new());
    let (started, go, checked) = (first_runs.clone(), late.clone(), Event::new());
    let was_checked = checked.clone();
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        go.happened().await;
        assert_eq!(attempt.context.stop().reason(), None);
        let denied = ContextError::Denied(format!("attempt 1 no longer holds request {}", attempt.context.request().id));
        assert_eq!(attempt.context.set_metadata(&entries([("by", "1")])).await, Err(denied.clone()));
        assert_eq!(attempt.context.set_state("by", &json("1")).await, Err(denied.clone()));
        assert_eq!(attempt.context.pop_state("by").await, Err(denied.clone()));
        assert_eq!(attempt.context.clear_state().await, Err(denied));
        was_checked.happens();
        saw(&1)
    });
    let script = second_attempt(script, &second_runs, &finish).ready();
    let TakenOver { first, second, id } = taken_over(&world, &script, &first_runs, &second_runs).await;
    late.happens();
    checked.happened().await;
    first.shutdown().await;
    assert_eq!(world.counts(id).await, (State::Running, 2, 0));
    finish.happens();
    second.settled(1).await;
    assert_eq!((world.counts(id).await, world.value(id).await), ((State::Success, 2, 1), Value::Success(json("2"))));
    assert_eq!(world.results.metadata(&world.tenant, id).await.unwrap(), Some(entries([])));
}
