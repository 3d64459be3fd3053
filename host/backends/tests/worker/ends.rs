//! How an attempt ends a request: the value, the report, the state and the message.

use mogbox_core::broker::{Backlog, Settlement, Verdict};
use mogbox_core::executor::Attempt;
use mogbox_core::ids::Digest;
use mogbox_core::limits::Bound;
use mogbox_core::outcome::{ArgumentError, Outcome};
use mogbox_core::result::{Exception, State, Value};

use crate::event::Event;
use crate::node::Options;
use crate::script::{CPU_US, Script, done, failed, saw};
use crate::world::{TASK, World, entries, json, on_all, signed_by};

on_all! { World;
    a_success_is_stored_with_its_report_and_acknowledged
    a_failure_is_stored_with_its_text_and_not_tried_again
    arguments_that_do_not_fit_are_invalid_after_the_start
    a_module_that_does_not_know_the_task_makes_it_invalid
    an_attempt_over_a_bound_fails_with_the_bound_named
    a_deadline_that_passes_during_the_run_revokes
    the_state_is_gone_when_the_request_is_done
    a_task_sees_its_request_and_writes_metadata
    an_attempt_that_outlives_its_lease_many_times_over_is_not_handed_out_again
}

/// One request, one attempt, one end.
async fn ends(world: &World, outcome: Outcome, state: State, value: Value) {
    let script = Script::default().answer(TASK, outcome).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert_eq!((world.counts(id).await, world.value(id).await), ((state, 1, 1), value));
    assert_eq!((script.executed(TASK), world.backlog().await), (vec![1], Backlog::default()));
}

fn text(kind: &str, message: &str) -> Value {
    Value::Exception(Exception::Failed { kind: kind.into(), message: message.into(), traceback: String::new() })
}

async fn a_success_is_stored_with_its_report_and_acknowledged(world: World) {
    let script = Script::default().then(TASK, |attempt| async move { saw(&attempt.module) }).ready();
    // It lies there before a node is started, so that it is queued for some time.
    let id = world.submit_task(TASK).await;
    let node = world.node(&script).await;
    node.settled(1).await;
    let [Settlement { verdict: Verdict::Done, cost, .. }] = &node.settlements()[..] else { panic!("{:?}", node.settlements()) };
    assert_eq!(cost.as_micros(), u128::from(CPU_US));
    assert_eq!(world.value(id).await, Value::Success(json(&format!("\"{}\"", Digest::of(b"the script")))));
    let result = world.result(id).await;
    assert_eq!((result.state, result.number_of_starts, result.number_of_stops), (State::Success, 1, 1));
    assert_eq!(result.node_id.as_deref(), Some(node.id.as_str()));
    assert!(result.created <= result.started && result.started <= result.finished, "{result:?}");
    let report = world.results.report(&world.tenant, id).await.unwrap().unwrap();
    assert_eq!((report.attempt, report.error, report.receipt.cpu_us), (1, None, CPU_US));
    assert_eq!(report.receipt.node_id.as_ref(), Some(&node.id));
    assert_eq!(report.receipt.signed_by, Some(signed_by()));
    assert!(report.receipt.queued_us > 0);
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn a_failure_is_stored_with_its_text_and_not_tried_again(world: World) {
    ends(&world, failed("no luck"), State::Failure, text("Error", "no luck")).await;
}

async fn arguments_that_do_not_fit_are_invalid_after_the_start(world: World) {
    let errors = vec![ArgumentError { argument: "n".into(), message: "expected a number".into() }];
    let expected = Value::Exception(Exception::InvalidTaskArguments(vec![("n".into(), "expected a number".into())]));
    ends(&world, Outcome::InvalidArguments(errors), State::Invalid, expected).await;
}

async fn a_module_that_does_not_know_the_task_makes_it_invalid(world: World) {
    ends(&world, Outcome::UnknownTask, State::Invalid, Value::Exception(Exception::UnknownTask(TASK.into()))).await;
}

async fn an_attempt_over_a_bound_fails_with_the_bound_named(world: World) {
    let outcome = Outcome::OverBound { bound: Bound::Memory, limit: "64MiB".into() };
    let message = "over the bound memory of 64MiB; a node started with --limit memory=VALUE raises it, up to 4GiB";
    ends(&world, outcome, State::Failure, text("OverBound", message)).await;
}

async fn a_deadline_that_passes_during_the_run_revokes(world: World) {
    ends(&world, Outcome::DeadlinePassed, State::Revoked, Value::Exception(Exception::Timeout)).await;
}

async fn the_state_is_gone_when_the_request_is_done(world: World) {
    for outcome in [done(), failed("no luck"), Outcome::DeadlinePassed] {
        let script = Script::default().then(TASK, |attempt| async move {
            attempt.context.set_state("step", &json("1")).await.unwrap();
            assert_eq!(attempt.context.state("step").await.unwrap(), Some(json("1")));
            outcome
        });
        let node = world.node(&script.ready()).await;
        let id = world.submit_task(TASK).await;
        node.settled(1).await;
        assert_eq!(world.state.get(&world.tenant, id, "step").await.unwrap(), None);
    }
}

async fn a_task_sees_its_request_and_writes_metadata(world: World) {
    let look = |attempt: Attempt| async move {
        let context = attempt.context;
        context.set_metadata(&entries([("progress", "0.5"), ("colour", "\"red\"")])).await.unwrap();
        let metadata = context.all_metadata().await.unwrap();
        saw(&(context.request().args.clone(), context.attempt(), metadata, context.cancelled()))
    };
    let node = world.node(&Script::default().then(TASK, look).ready()).await;
    let mut request = world.request(TASK);
    (request.args, request.metadata) = (vec![json("7")], entries([("by", "\"me\""), ("colour", "\"blue\"")]));
    let id = world.submit(request).await;
    node.settled(1).await;
    assert_eq!(world.value(id).await, Value::Success(json(r#"[[7],1,{"by":"me","colour":"red","progress":0.5},false]"#)));
    let stored = world.results.metadata(&world.tenant, id).await.unwrap().unwrap();
    assert_eq!(stored, entries([("by", "\"me\""), ("colour", "\"red\""), ("progress", "0.5")]));
}

async fn an_attempt_that_outlives_its_lease_many_times_over_is_not_handed_out_again(world: World) {
    let (running, finish) = (Event::new(), Event::new());
    let (started, may_finish) = (running.clone(), finish.clone());
    let script = Script::default().then(TASK, |_| async move {
        started.happens();
        may_finish.happened().await;
        done()
    });
    let script = script.ready();
    let holder = world.node_with(&script, Options::lease_of_two_seconds()).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    let _other = world.node(&script).await;
    // Three times within each length.
    holder.renewed(9).await;
    finish.happens();
    assert_eq!((world.end(id).await, script.executed(TASK)), ((State::Success, 1, 1), vec![1]));
}
