//! Requests that submit others and wait for them.

use std::time::Duration;

use jiff::Timestamp;
use mogbox_core::broker::{Backlog, Verdict};
use mogbox_core::context::{ChildOutcome, NewChild};
use mogbox_core::executor::Attempt;
use mogbox_core::ids::RequestId;
use mogbox_core::limits::Limits;
use mogbox_core::outcome::Outcome;
use mogbox_core::request::Request;
use mogbox_core::result::{State, Value};
use mogbox_core::revoke::revoke;
use mogbox_core::store::WaitMode;

use crate::event::Event;
use crate::node::{Node, Options};
use crate::script::{Script, done, failed, saw, unless_stopped};
use crate::world::{CHILD, PARENT, TASK, World, entries, json, on_all};

on_all! { World;
    a_parent_that_waits_lends_its_place_so_that_one_place_serves_a_tree
    a_child_is_what_its_parent_says_and_has_a_priority_of_its_own
    a_parent_sees_how_each_child_ended
    a_wait_that_times_out_says_what_is_pending_and_the_parent_goes_on
    a_parent_that_waits_when_its_node_drains_is_given_back
    a_parent_that_waits_is_stopped_by_its_revocation_with_its_child
}

/// Submits a child and waits for it, as long as that takes.
async fn run_child(world: World, attempt: Attempt, task: &'static str) -> Outcome {
    let child = attempt.context.submit(world.child(task)).await.unwrap();
    let work = async { saw(&format!("{:?}", attempt.context.wait(&[child], WaitMode::All, None).await)) };
    unless_stopped(&attempt, work).await
}

async fn one_place(world: &World, script: Script) -> Node {
    world.node_with(&script.ready(), Options { concurrency: 1, in_flight: 1, ..Options::default() }).await
}

async fn a_parent_that_waits_lends_its_place_so_that_one_place_serves_a_tree(world: World) {
    let (above, middle, below) = (world.clone(), world.clone(), world.clone());
    let script = Script::default().then(PARENT, |attempt| run_child(above, attempt, CHILD));
    let script = script.then(CHILD, |attempt| run_child(middle, attempt, TASK)).then(TASK, |attempt| async move {
        let stack = attempt.context.request().stack.clone();
        let mut states = Vec::new();
        for id in &stack {
            states.push(below.counts(*id).await);
        }
        saw(&(states, stack))
    });
    let node = one_place(&world, script).await;
    let id = world.submit_task(PARENT).await;
    assert_eq!(node.settled(3).await, vec![Verdict::Done; 3]);
    let children = world.results.children(&world.tenant, id).await.unwrap();
    let grandchildren = world.results.children(&world.tenant, children[0]).await.unwrap();
    let ids = [id, children[0], grandchildren[0]];
    for (depth, one) in ids.iter().enumerate() {
        assert_eq!(world.counts(*one).await, (State::Success, 1, 1));
        assert_eq!(world.result(*one).await.parent_id, depth.checked_sub(1).map(|above| ids[above]));
    }
    let seen = format!(r#"[[["SUSPENDED",1,1],["SUSPENDED",1,1]],["{id}","{}"]]"#, children[0]);
    assert_eq!(world.value(grandchildren[0]).await, Value::Success(json(&seen)));
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn a_child_is_what_its_parent_says_and_has_a_priority_of_its_own(world: World) {
    let look = |attempt: Attempt| async move {
        let request = attempt.context.request().clone();
        let metadata = attempt.context.all_metadata().await.unwrap();
        saw(&(request.args, request.kwargs, metadata, request.priority, attempt.context.deadline().map(|left| left.as_secs())))
    };
    let its = world.clone();
    let script = Script::default().then(CHILD, look).then(CHILD, look).then(PARENT, |attempt| async move {
        let plain = its.child(CHILD);
        let mut full =
            NewChild { args: vec![json("1.50")], priority: Some(9), deadline: Some(Duration::from_secs(3_600)), ..plain.clone() };
        (full.kwargs, full.metadata) = (entries([("by", "2")]), entries([("key", "[3]")]));
        let ids = [attempt.context.submit(plain).await.unwrap(), attempt.context.submit(full).await.unwrap()];
        saw(&ids)
    });
    let node = world.node(&script.ready()).await;
    let id = world.submit(Request { priority: 2, ..world.request(PARENT) }).await;
    node.settled(3).await;
    let Value::Success(ids) = world.value(id).await else { panic!("no success") };
    let [plain, full]: [RequestId; 2] = ids.read().unwrap();
    assert_eq!(world.value(plain).await, Value::Success(json("[[],{},{},5,null]")));
    assert_eq!(world.value(full).await, Value::Success(json(r#"[[1.50],{"by":2},{"key":[3]},9,3600]"#)));
}

async fn a_parent_sees_how_each_child_ended(world: World) {
    let its = world.clone();
    let script = Script::default().answer(CHILD, done()).answer(CHILD, failed("no luck")).then(PARENT, |attempt| async move {
        let (context, mut children) = (&attempt.context, Vec::new());
        for name in [CHILD, CHILD, "demo.nope"] {
            children.push(context.submit(its.child(name)).await.unwrap());
            context.wait(&children, WaitMode::All, None).await.unwrap();
        }
        let outcomes = context.wait(&children, WaitMode::All, None).await.unwrap();
        let (first, second) = (ChildOutcome::Success(json("\"done\"")), ChildOutcome::Failure("Error: no luck".into()));
        let third = ChildOutcome::Invalid("no module serves task \"demo.nope\"".into());
        assert_eq!(outcomes, [first, second, third]);
        let nobody: [RequestId; 0] = [];
        assert_eq!(context.wait(&nobody, WaitMode::Any, None).await.unwrap(), []);
        done()
    });
    let _node = one_place(&world, script).await;
    let id = world.submit_task(PARENT).await;
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
}

async fn a_wait_that_times_out_says_what_is_pending_and_the_parent_goes_on(world: World) {
    let (its, running, finish) = (world.clone(), Event::new(), Event::new());
    let (started, may_finish, finished) = (running.clone(), finish.clone(), finish.clone());
    let script = Script::default().then(CHILD, |_| async move {
        started.happens();
        may_finish.happened().await;
        done()
    });
    let script = script.then(PARENT, |attempt| async move {
        let context = &attempt.context;
        let children = [context.submit(its.child(CHILD)).await.unwrap()];
        let outcomes = context.wait(&children, WaitMode::All, Some(Duration::from_millis(100))).await.unwrap();
        let counts = its.counts(context.request().id).await;
        running.happened().await;
        finished.happens();
        context.wait(&children, WaitMode::All, None).await.unwrap();
        saw(&(format!("{outcomes:?}"), counts))
    });
    let node = world.node(&script.ready()).await;
    let id = world.submit_task(PARENT).await;
    node.settled(2).await;
    assert_eq!(world.value(id).await, Value::Success(json(r#"["[Pending]",["RUNNING",2,1]]"#)));
    assert_eq!((world.counts(id).await, finish.has_happened()), ((State::Success, 1, 1), true));
}

/// A parent that waits for a child that runs: on its place, as there is only one.
async fn waiting(world: &World, options: Options) -> (Node, std::sync::Arc<Script>, RequestId) {
    let options = Options { concurrency: 1, ..options };
    let (its, running) = (world.clone(), Event::new());
    let script = Script::default().resist(CHILD, &running).then(PARENT, |attempt| run_child(its, attempt, CHILD));
    let script = script.answer(PARENT, done()).answer(CHILD, done()).ready();
    let node = world.node_with(&script, options).await;
    let id = world.submit_task(PARENT).await;
    running.happened().await;
    (node, script, id)
}

async fn a_parent_that_waits_when_its_node_drains_is_given_back(world: World) {
    let options = Options { drain_grace: Duration::from_millis(100), ..Options::default() };
    let (node, script, id) = waiting(&world, options).await;
    node.shutdown().await;
    assert_eq!(world.counts(id).await, (State::Suspended, 1, 1));
    assert_eq!(world.backlog().await, Backlog { ready: 2, ..Backlog::default() });
    let node = world.node(&script).await;
    node.settled(2).await;
    assert_eq!(world.counts(id).await, (State::Success, 2, 2));
}

async fn a_parent_that_waits_is_stopped_by_its_revocation_with_its_child(world: World) {
    let (node, script, id) = waiting(&world, Options { revoke_grace: Duration::from_millis(100), ..Options::default() }).await;
    node.listens().await;
    let child = world.results.children(&world.tenant, id).await.unwrap()[0];
    world.runs(child, 1).await;
    let revocation = revoke(&*world.results, &*world.broker, &world.tenant, id, false, &Limits::default()).await.unwrap();
    assert_eq!((revocation.before, revocation.revoked), (Some(State::Suspended), 2));
    assert_eq!(node.settled(2).await, [Verdict::Done, Verdict::Done]);
    assert_eq!((world.counts(id).await.0, world.counts(child).await), (State::Revoked, (State::Revoked, 1, 1)));
    assert_eq!((script.executed(PARENT), script.executed(CHILD)), (vec![1], vec![1]));
    assert!(world.result(id).await.finished.is_some_and(|finished| finished <= Timestamp::now()));
}
