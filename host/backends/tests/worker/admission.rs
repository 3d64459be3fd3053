//! What is not run: Mognet's rules 1 to 4.

use jiff::{SignedDuration, Timestamp};
use mogbox_core::broker::{Backlog, Verdict};
use mogbox_core::ids::RequestId;
use mogbox_core::limits::Limits;
use mogbox_core::request::{Deadline, Request};
use mogbox_core::result::{Exception, State, Value};

use crate::node::Options;
use crate::script::{Script, done, failed};
use crate::world::{TASK, World, entries, json, on_all};

on_all! { World;
    a_request_over_a_bound_that_its_submitter_did_not_know_is_invalid_and_names_the_bound
    a_request_without_a_result_is_discarded
    a_request_that_is_final_already_is_acknowledged_and_its_state_cleared
    a_task_that_nobody_serves_is_invalid_without_a_start
    a_deadline_in_the_past_revokes_without_a_start
    a_deadline_before_the_start_revokes_after_a_start
    a_stack_longer_than_the_bound_on_depth_fails
    a_request_whose_ancestor_is_gone_is_revoked
    a_request_whose_ancestor_was_revoked_is_revoked
    a_request_whose_ancestor_failed_runs
}

/// Starts a node, lets it settle one delivery, and sees that nothing ran and nothing is left.
async fn not_run(world: &World) {
    not_run_with(world, Options::default()).await;
}

async fn not_run_with(world: &World, options: Options) {
    let script = Script::default().ready();
    let node = world.node_with(&script, options).await;
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert_eq!(script.executed(TASK), [0; 0]);
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn ends_unrun(world: &World, request: Request, state: State, exception: Exception) {
    let id = world.submit(request).await;
    not_run(world).await;
    assert_eq!(world.counts(id).await, (state, 0, 1));
    assert_eq!(world.value(id).await, Value::Exception(exception));
}

fn revoked(message: String) -> Exception {
    Exception::Failed { kind: "Revoked".into(), message, traceback: String::new() }
}

async fn a_request_without_a_result_is_discarded(world: World) {
    let request = std::sync::Arc::new(world.request(TASK));
    let (tenant, queue, delay) = (world.tenant.clone(), world.queue.clone(), std::time::Duration::ZERO);
    world.broker.submit(&[mogbox_core::Submission { tenant, queue, request: request.clone(), delay }]).await.unwrap();
    not_run(&world).await;
    assert_eq!(world.results.read(&world.tenant, &[request.id]).await.unwrap(), [None]);
}

async fn a_request_that_is_final_already_is_acknowledged_and_its_state_cleared(world: World) {
    let id = world.submit_task(TASK).await;
    world.state.set(&world.tenant, id, 1, "step", &json("1"), &Limits::default()).await.unwrap();
    world.results.revoke(&world.tenant, id, Timestamp::now()).await.unwrap();
    let before = world.result(id).await;
    not_run(&world).await;
    assert_eq!(world.result(id).await, before);
    assert_eq!(world.state.get(&world.tenant, id, "step").await.unwrap(), None);
}

async fn a_task_that_nobody_serves_is_invalid_without_a_start(world: World) {
    let request = world.request("demo.nope");
    ends_unrun(&world, request, State::Invalid, Exception::UnknownTask("demo.nope".into())).await;
}

async fn a_deadline_in_the_past_revokes_without_a_start(world: World) {
    let request = Request { deadline: Some(Deadline::At(Timestamp::now())), ..world.request(TASK) };
    ends_unrun(&world, request, State::Revoked, Exception::Timeout).await;
}

async fn a_deadline_before_the_start_revokes_after_a_start(world: World) {
    let id = world.submit(Request { deadline: Some(Deadline::After(SignedDuration::from_secs(-1))), ..world.request(TASK) }).await;
    not_run(&world).await;
    assert_eq!(world.counts(id).await, (State::Revoked, 1, 1));
    assert_eq!(world.value(id).await, Value::Exception(Exception::Timeout));
}

async fn a_stack_longer_than_the_bound_on_depth_fails(world: World) {
    let stack = vec![world.submit(world.request("demo.nope")).await, RequestId::random()];
    not_run(&world).await;
    let id = world.submit(Request { stack, ..world.request(TASK) }).await;
    let limits = Limits { depth: 1, ..Limits::default() };
    not_run_with(&world, Options { limits, ..Options::default() }).await;
    assert_eq!(world.counts(id).await, (State::Failure, 0, 1));
    assert_eq!(world.value(id).await, Value::Exception(Exception::RecursionLimit));
}

async fn a_request_whose_ancestor_is_gone_is_revoked(world: World) {
    let ancestor = RequestId::random();
    let request = Request { stack: vec![ancestor], ..world.request(TASK) };
    ends_unrun(&world, request, State::Revoked, revoked(format!("Parent request id={ancestor} does not exist"))).await;
}

async fn a_request_whose_ancestor_was_revoked_is_revoked(world: World) {
    let (ancestor, parent) = (world.request(TASK), world.request(TASK));
    for request in [&ancestor, &parent] {
        world.results.create(&world.tenant, request, Timestamp::now()).await.unwrap();
    }
    world.results.revoke(&world.tenant, ancestor.id, Timestamp::now()).await.unwrap();
    let request = Request { stack: vec![ancestor.id, parent.id], ..world.request(TASK) };
    ends_unrun(&world, request, State::Revoked, revoked(format!("Parent request id={} was revoked", ancestor.id))).await;
}

async fn a_request_whose_ancestor_failed_runs(world: World) {
    let script = Script::default().answer(TASK, failed("no luck")).answer(TASK, done()).ready();
    let node = world.node(&script).await;
    let ancestor = world.submit_task(TASK).await;
    assert_eq!(world.end(ancestor).await, (State::Failure, 1, 1));
    let id = world.submit(Request { stack: vec![ancestor], ..world.request(TASK) }).await;
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
    node.shutdown().await;
}

async fn a_request_over_a_bound_that_its_submitter_did_not_know_is_invalid_and_names_the_bound(world: World) {
    let limits = Limits { arguments: 10, metadata_keys: 1, ..Limits::default() };
    let script = Script::default().answer(TASK, done()).ready();
    let _node = world.node_with(&script, Options { limits, ..Options::default() }).await;
    let wordy = Request { args: vec![json("\"0123456789\"")], ..world.request(TASK) };
    let tagged = Request { metadata: entries([("a", "1"), ("b", "2")]), ..world.request(TASK) };
    for (request, bound) in [(wordy, "over the bound arguments of 10"), (tagged, "over the bound metadata-keys of 1")] {
        let id = world.submit(request).await;
        assert_eq!(world.end(id).await, (State::Invalid, 0, 1));
        let Value::Exception(Exception::InvalidTaskArguments(errors)) = world.value(id).await else { panic!("no error") };
        assert!(errors[0].1.contains(bound), "{errors:?}");
    }
    assert!(script.executed(TASK).is_empty());
    let id = world.submit(Request { args: vec![json("1")], ..world.request(TASK) }).await;
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
}
