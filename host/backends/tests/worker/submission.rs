//! Submission of many requests in one call: each as if it were submitted alone, or none of them.

use std::sync::Arc;
use std::time::Duration;

use mogbox_core::broker::{Backlog, Verdict};
use mogbox_core::ids::RequestId;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::request::Request;
use mogbox_core::result::State;
use mogbox_core::submit::{SubmitError, Submitter};

use crate::harness::on_both;
use crate::script::{Script, done};
use crate::world::{TASK, World, json};

on_both! { World;
    each_of_many_is_taken_once_and_what_is_done_is_not_run_again
    where_one_of_many_does_not_fit_none_is_taken
    none_of_many_is_nothing_to_do
}

fn submitter(world: &World) -> Submitter {
    let limits = Limits { arguments: 100, ..Limits::default() };
    Submitter::new(Arc::clone(&world.results), Arc::clone(&world.broker), limits)
}

async fn submit_all(world: &World, requests: &[Request]) -> Result<Vec<RequestId>, SubmitError> {
    submitter(world).submit_all(&world.tenant, requests.to_vec(), Duration::ZERO).await
}

async fn each_of_many_is_taken_once_and_what_is_done_is_not_run_again(world: World) {
    let script = Script::default().answer(TASK, done()).answer(TASK, done()).answer(TASK, done()).ready();
    let [finished, waiting, new] = [0; 3].map(|_| world.request(TASK));
    let node = world.node(&script).await;
    assert_eq!(world.submit(finished.clone()).await, finished.id);
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    node.shutdown().await;
    let before = world.result(finished.id).await;
    world.submit(waiting.clone()).await;
    let all = [finished.clone(), waiting, new.clone(), new].map(|request| Request { kwargs_repr: None, ..request });
    assert_eq!(submit_all(&world, &all).await.unwrap(), all.clone().map(|request| request.id));
    assert_eq!(world.backlog().await, Backlog { ready: 2, ..Backlog::default() });
    let node = world.node(&script).await;
    for id in all.map(|request| request.id) {
        assert_eq!(world.end(id).await, (State::Success, 1, 1));
    }
    node.settled(2).await;
    assert_eq!((script.executed(TASK).len(), world.result(finished.id).await), (3, before));
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn where_one_of_many_does_not_fit_none_is_taken(world: World) {
    let fits = world.request(TASK);
    let large = Request { args: vec![json(&format!("\"{}\"", "x".repeat(100)))], ..world.request(TASK) };
    let misplaced = Request { queue_name: Some("no queue".into()), ..world.request(TASK) };
    let refused = submit_all(&world, &[fits.clone(), large.clone()]).await.unwrap_err();
    assert!(matches!(refused, SubmitError::OverBound { bound: Bound::Arguments, .. }), "{refused}");
    let refused = submit_all(&world, &[misplaced.clone(), fits.clone()]).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Invalid(_)), "{refused}");
    let ids = [fits, large, misplaced].map(|request| request.id);
    assert_eq!(world.results.read(&world.tenant, &ids).await.unwrap(), [None, None, None]);
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn none_of_many_is_nothing_to_do(world: World) {
    assert_eq!(submit_all(&world, &[]).await.unwrap(), []);
}
