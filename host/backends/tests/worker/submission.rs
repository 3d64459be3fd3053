//! Submission of many requests in one call: each as if it were submitted alone, or none of them.

use std::sync::Arc;
use std::time::Duration;

use mogbox_core::broker::{Backlog, Verdict};
use mogbox_core::ids::RequestId;
use mogbox_core::intake::{InTurn, Intake};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::request::Request;
use mogbox_core::result::State;
use mogbox_core::submit::{SubmitError, Submitter};

use crate::script::{Script, done};
use crate::world::{Backend, TASK, World, json, on_all};

on_all! { World;
    each_of_many_is_taken_once_and_what_is_done_is_not_run_again
    where_one_of_many_does_not_fit_none_is_taken
    none_of_many_is_nothing_to_do
    a_hundred_at_once_arrive_with_their_metadata_parents_and_delays
}

/// Result and message in one step, and one after the other.
fn intakes(world: &World) -> [Arc<dyn Intake>; 2] {
    [Arc::clone(&world.intake), Arc::new(InTurn::new(Arc::clone(&world.results), Arc::clone(&world.broker)))]
}

async fn submit_all(world: &World, intake: &Arc<dyn Intake>, requests: &[Request]) -> Result<Vec<RequestId>, SubmitError> {
    let limits = Limits { arguments: 100, ..Limits::default() };
    Submitter::new(Arc::clone(intake), limits).submit_all(&world.tenant, requests.to_vec(), Duration::ZERO).await
}

async fn each_of_many_is_taken_once_and_what_is_done_is_not_run_again(world: World) {
    for intake in intakes(&world) {
        each_is_taken_once(&world, &intake).await;
    }
}

async fn each_is_taken_once(world: &World, intake: &Arc<dyn Intake>) {
    let script = Script::default().answer(TASK, done()).answer(TASK, done()).answer(TASK, done()).ready();
    let [finished, waiting, new] = [0; 3].map(|_| world.request(TASK));
    let node = world.node(&script).await;
    assert_eq!(world.submit(finished.clone()).await, finished.id);
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    node.shutdown().await;
    let before = world.result(finished.id).await;
    world.submit(waiting.clone()).await;
    let all = [finished.clone(), waiting, new.clone(), new].map(|request| Request { kwargs_repr: None, ..request });
    assert_eq!(submit_all(world, intake, &all).await.unwrap(), all.clone().map(|request| request.id));
    // RabbitMQ knows no ids: what is submitted again lies there again, and is recognised on its way out.
    let knows_ids = !matches!(world.backend, Backend::Amqp(_));
    assert_eq!(world.backlog().await, Backlog { ready: if knows_ids { 2 } else { 4 }, ..Backlog::default() });
    let node = world.node(&script).await;
    for id in all.map(|request| request.id) {
        assert_eq!(world.end(id).await, (State::Success, 1, 1));
    }
    node.settled(2).await;
    node.shutdown().await;
    assert_eq!((script.executed(TASK).len(), world.result(finished.id).await), (3, before));
    if knows_ids {
        assert_eq!(world.backlog().await, Backlog::default());
    }
}

async fn where_one_of_many_does_not_fit_none_is_taken(world: World) {
    let fits = world.request(TASK);
    let large = Request { args: vec![json(&format!("\"{}\"", "x".repeat(100)))], ..world.request(TASK) };
    let misplaced = Request { queue_name: Some("no queue".into()), ..world.request(TASK) };
    for intake in intakes(&world) {
        let refused = submit_all(&world, &intake, &[fits.clone(), large.clone()]).await.unwrap_err();
        assert!(matches!(refused, SubmitError::OverBound { bound: Bound::Arguments, .. }), "{refused}");
        let refused = submit_all(&world, &intake, &[misplaced.clone(), fits.clone()]).await.unwrap_err();
        assert!(matches!(refused, SubmitError::Invalid(_)), "{refused}");
    }
    let ids = [fits, large, misplaced].map(|request| request.id);
    assert_eq!(world.results.read(&world.tenant, &ids).await.unwrap(), [None, None, None]);
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn none_of_many_is_nothing_to_do(world: World) {
    for intake in intakes(&world) {
        assert_eq!(submit_all(&world, &intake, &[]).await.unwrap(), []);
    }
}

async fn a_hundred_at_once_arrive_with_their_metadata_parents_and_delays(world: World) {
    for intake in intakes(&world) {
        let parent = world.request(TASK);
        let child = |number: u32| {
            let metadata = (0..number).map(|key| (format!("key-{key:03}"), json(&number.to_string()))).collect();
            Request { stack: vec![parent.id], metadata, ..world.request(TASK) }
        };
        let children: Vec<Request> = (0..100).map(child).collect();
        let limits = Limits::default();
        let submitter = Submitter::new(intake, limits);
        let ids = submitter.submit_all(&world.tenant, children.clone(), Duration::ZERO).await.unwrap();
        submitter.submit(&world.tenant, parent.clone(), Duration::from_secs(60)).await.unwrap();
        let mut known = world.results.children(&world.tenant, parent.id).await.unwrap();
        known.sort();
        let mut expected = ids.clone();
        expected.sort();
        assert_eq!(known, expected);
        for child in &children {
            assert_eq!(world.results.metadata(&world.tenant, child.id).await.unwrap(), Some(child.metadata.clone()));
        }
        let pending = world.results.read(&world.tenant, &ids).await.unwrap();
        assert!(pending.iter().flatten().all(|result| (result.state, result.parent_id) == (State::Pending, Some(parent.id))));
        assert_eq!(pending.iter().flatten().count(), 100);
    }
    assert_eq!(world.backlog().await, Backlog { ready: 200, delayed: 2, ..Backlog::default() });
}

/// On Redis alone, whose keys others write too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_result_makes_no_sense_none_of_its_call_is_queued() {
    let world = World::redis().await;
    let [sound, strange] = [0; 2].map(|_| world.request(TASK));
    let key = format!("{}.mognet.result.{}", world.tenant, strange.id);
    let mut redis = ::redis::Client::open(crate::harness::redis_url()).unwrap().get_connection().unwrap();
    ::redis::cmd("SET").arg(key).arg("not a hash").query::<()>(&mut redis).unwrap();
    let refused = submit_all(&world, &world.intake, &[sound.clone(), strange]).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Store(_)), "{refused}");
    assert_eq!(world.backlog().await, Backlog::default());
    let script = Script::default().answer(TASK, done()).ready();
    let node = world.node(&script).await;
    submit_all(&world, &world.intake, std::slice::from_ref(&sound)).await.unwrap();
    assert_eq!(world.end(sound.id).await, (State::Success, 1, 1));
    node.shutdown().await;
}
