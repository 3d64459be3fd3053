//! Bounds on what a task says to its host: each refusal names what is allowed.

use mogbox_core::context::{ContextError, MAX_WAIT_IDS, NewChild, TaskContext};
use mogbox_core::executor::Attempt;
use mogbox_core::ids::RequestId;
use mogbox_core::limits::Limits;
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::WaitMode;

use crate::node::Options;
use crate::script::{Script, done, saw};
use crate::world::{CHILD, PARENT, TASK, World, entries, json, on_all};

on_all! { World;
    children_are_bounded_in_number
    children_are_bounded_in_depth
    a_malformed_child_is_refused_with_the_reason
    metadata_is_bounded_in_keys_and_bytes
    state_is_bounded_in_keys_and_bytes
    only_children_can_be_waited_for
}

/// Runs one attempt within these bounds; what it returns is what its host said.
async fn says<F>(world: &World, limits: Limits, look: impl FnOnce(World, std::sync::Arc<TaskContext>) -> F + Send + 'static) -> Vec<String>
where
    F: Future<Output = Vec<ContextError>> + Send + 'static,
{
    let its = world.clone();
    let script = Script::default().then(PARENT, |attempt| async move {
        let errors = look(its, attempt.context).await;
        saw(&errors.iter().map(ToString::to_string).collect::<Vec<_>>())
    });
    let script = script.answer(CHILD, done()).answer(CHILD, done()).ready();
    let node = world.node_with(&script, Options { limits, ..Options::default() }).await;
    let id = world.submit_task(PARENT).await;
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
    node.shutdown().await;
    let Value::Success(json) = world.value(id).await else { panic!("no success") };
    json.read().unwrap()
}

async fn children_are_bounded_in_number(world: World) {
    let said = says(&world, Limits { children: 2, ..Limits::default() }, |world, context| async move {
        for _ in 0..2 {
            context.submit(world.child(CHILD)).await.unwrap();
        }
        let error = context.submit(world.child(CHILD)).await.unwrap_err();
        assert_eq!(world.results.children(&world.tenant, context.request().id).await.unwrap().len(), 2);
        vec![error]
    });
    let expected = "limit: over the bound children of 2; a node started with --limit children=VALUE raises it, up to 100000";
    assert_eq!(said.await, [expected]);
}

async fn children_are_bounded_in_depth(world: World) {
    let (above, below) = (world.clone(), world.clone());
    let run_child = async |world: World, attempt: Attempt, task: &'static str| {
        let child = attempt.context.submit(world.child(task)).await.unwrap();
        saw(&format!("{:?}", attempt.context.wait(&[child], WaitMode::All, None).await.unwrap()))
    };
    let script = Script::default().then(PARENT, async move |attempt| run_child(above, attempt, CHILD).await);
    let script = script.then(CHILD, async move |attempt| run_child(below, attempt, TASK).await);
    let options = Options { limits: Limits { depth: 1, ..Limits::default() }, ..Options::default() };
    let _node = world.node_with(&script.ready(), options).await;
    let id = world.submit_task(PARENT).await;
    assert_eq!(world.end(id).await.0, State::Success);
    let child = world.results.children(&world.tenant, id).await.unwrap()[0];
    let grandchild = world.results.children(&world.tenant, child).await.unwrap()[0];
    // As with Mognet, the one that is too deep is there, and failed.
    assert_eq!(world.end(grandchild).await, (State::Failure, 0, 1));
    assert_eq!(world.value(grandchild).await, Value::Exception(Exception::RecursionLimit));
}

async fn a_malformed_child_is_refused_with_the_reason(world: World) {
    let limits = Limits { arguments: 10, metadata_keys: 1, metadata: 10, ..Limits::default() };
    let said = says(&world, limits, |world, context| async move {
        let good = world.child(CHILD);
        let bad = [
            NewChild { name: "no such name".into(), ..good.clone() },
            NewChild { queue: Some("no queue".into()), ..good.clone() },
            NewChild { priority: Some(11), ..good.clone() },
            NewChild { args: vec![json("12345678901")], ..good.clone() },
            NewChild { kwargs: entries([("a\nb", "1")]), ..good.clone() },
            NewChild { metadata: entries([("a", "1"), ("b", "2")]), ..good.clone() },
            NewChild { metadata: entries([("a", "1234567890")]), ..good.clone() },
        ];
        let mut errors = Vec::new();
        for child in bad {
            errors.push(context.submit(child).await.unwrap_err());
        }
        assert_eq!(world.results.children(&world.tenant, context.request().id).await.unwrap(), []);
        errors
    });
    let begins = [
        "invalid: invalid task name \"no such name\": expected 1 to 256 letters",
        "invalid: invalid queue",
        "invalid: invalid priority 11: expected 0 to 10",
        "too large: over the bound arguments of 10B",
        "invalid: invalid key \"a\\nb\": expected at most 256 bytes",
        "limit: over the bound metadata-keys of 1",
        "too large: over the bound metadata of 10B",
    ];
    for (said, begin) in said.await.iter().zip(begins) {
        assert!(said.starts_with(begin), "{said:?} does not start with {begin:?}");
    }
}

async fn metadata_is_bounded_in_keys_and_bytes(world: World) {
    let limits = Limits { metadata_keys: 2, metadata: 20, ..Limits::default() };
    let said = says(&world, limits, |_, context| async move {
        let at_once = context.set_metadata(&entries([("a", "1"), ("b", "2"), ("c", "3")])).await.unwrap_err();
        let large = context.set_metadata(&entries([("a", "\"12345678901234567890\"")])).await.unwrap_err();
        context.set_metadata(&entries([("a", "1"), ("b", "2")])).await.unwrap();
        let one_more = context.set_metadata(&entries([("c", "3")])).await.unwrap_err();
        let together = context.set_metadata(&entries([("a", "\"123456789\""), ("b", "\"123456789\"")])).await.unwrap_err();
        let malformed = context.set_metadata(&entries([("a\nb", "1")])).await.unwrap_err();
        assert_eq!(context.all_metadata().await.unwrap(), entries([("a", "1"), ("b", "2")]));
        vec![at_once, large, one_more, together, malformed]
    });
    let keys = "limit: over the bound metadata-keys of 2; a node started with --limit metadata-keys=VALUE raises it, up to 10000";
    let bytes = "too large: over the bound metadata of 20B; a node started with --limit metadata=VALUE raises it, up to 16MiB";
    let malformed = "invalid: invalid key \"a\\nb\": expected at most 256 bytes without control characters";
    assert_eq!(said.await, [keys, bytes, keys, bytes, malformed]);
}

async fn state_is_bounded_in_keys_and_bytes(world: World) {
    let limits = Limits { state_keys: 2, state: 20, ..Limits::default() };
    let said = says(&world, limits, |_, context| async move {
        let large = context.set_state("a", &json("\"12345678901234567890\"")).await.unwrap_err();
        context.set_state("a", &json("1")).await.unwrap();
        context.set_state("b", &json("2")).await.unwrap();
        let one_more = context.set_state("c", &json("3")).await.unwrap_err();
        let together = context.set_state("b", &json("\"1234567890123456\"")).await.unwrap_err();
        assert_eq!(context.pop_state("a").await.unwrap(), Some(json("1")));
        context.set_state("c", &json("3")).await.unwrap();
        vec![large, one_more, together]
    });
    let keys = "limit: over the bound state-keys of 2; a node started with --limit state-keys=VALUE raises it, up to 10000";
    let bytes = "too large: over the bound state of 20B; a node started with --limit state=VALUE raises it, up to 64MiB";
    assert_eq!(said.await, [bytes, keys, bytes]);
}

async fn only_children_can_be_waited_for(world: World) {
    let stranger = world.submit(world.request("demo.nope")).await;
    let said = says(&world, Limits::default(), move |world, context| async move {
        let child = context.submit(world.child(CHILD)).await.unwrap();
        let foreign = context.wait(&[child, stranger], WaitMode::Any, None).await.unwrap_err();
        let itself = context.wait(&[context.request().id], WaitMode::All, None).await.unwrap_err();
        let many = context.wait(&vec![RequestId::random(); MAX_WAIT_IDS + 1], WaitMode::All, None).await.unwrap_err();
        let parent = context.request().id;
        assert_eq!(foreign, ContextError::NotFound(format!("request {stranger} is no child of request {parent}")));
        assert_eq!(itself, ContextError::NotFound(format!("request {parent} is no child of request {parent}")));
        vec![many]
    });
    assert_eq!(said.await, ["limit: 1001 ids to wait for, at most 1000 are allowed"]);
}
