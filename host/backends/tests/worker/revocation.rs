//! Revoking what runs: the REVOKED result is the truth, and the broadcast only makes it fast.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mogbox_core::broker::{Backlog, Control, Verdict};
use mogbox_core::executor::{Attempt, StopReason};
use mogbox_core::limits::Limits;
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::revoke::revoke;

use crate::event::Event;
use crate::node::Options;
use crate::script::{Script, done};
use crate::world::{TASK, World, json, on_all};

on_all! { World;
    a_revoked_attempt_is_stopped_and_its_result_stays_revoked
    an_attempt_that_succeeds_all_the_same_does_not_overwrite_the_revocation
    a_revocation_that_was_not_broadcast_is_found
    a_broadcast_for_a_request_that_is_not_revoked_stops_nothing
}

/// Less than it takes until a node looks for revoked requests by itself.
const FAST: Duration = Duration::from_secs(4);

async fn a_revoked_attempt_is_stopped_and_its_result_stays_revoked(world: World) {
    let running = Event::new();
    let script = Script::default().resist(TASK, &running).ready();
    let started = Instant::now();
    let node = world.node_with(&script, Options { revoke_grace: Duration::from_millis(100), ..Options::default() }).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    node.listens().await;
    world.runs(id, 1).await;
    world.state.set(&world.tenant, id, 1, "step", &json("1"), &Limits::default()).await.unwrap();
    revoke(&*world.results, &*world.broker, &world.tenant, id, false, &Limits::default()).await.unwrap();
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert!(started.elapsed() < FAST, "{:?}", started.elapsed());
    assert_eq!((world.counts(id).await, world.value(id).await), ((State::Revoked, 1, 1), Value::Exception(Exception::NotReady)));
    assert_eq!(world.state.get(&world.tenant, id, "step").await.unwrap(), None);
    assert_eq!(world.backlog().await, Backlog::default());
}

/// An attempt that finishes when it is asked to, and says so.
fn finish_when_asked(running: &Event) -> impl FnOnce(Attempt) -> futures::future::BoxFuture<'static, mogbox_core::Outcome> + Send + use<> {
    let running = running.clone();
    move |attempt| {
        Box::pin(async move {
            running.happens();
            attempt.context.stop().asked().await;
            assert_eq!(attempt.context.stop().reason(), Some(StopReason::Revoked));
            assert!(attempt.context.cancelled() && !attempt.context.stop().is_forced());
            done()
        })
    }
}

async fn an_attempt_that_succeeds_all_the_same_does_not_overwrite_the_revocation(world: World) {
    let running = Event::new();
    let script = Script::default().then(TASK, finish_when_asked(&running)).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    node.listens().await;
    revoke(&*world.results, &*world.broker, &world.tenant, id, false, &Limits::default()).await.unwrap();
    let revoked = world.result(id).await;
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert_eq!((world.result(id).await, world.value(id).await), (revoked, Value::Exception(Exception::NotReady)));
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn a_revocation_that_was_not_broadcast_is_found(world: World) {
    let running = Event::new();
    let script = Script::default().then(TASK, finish_when_asked(&running)).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    world.runs(id, 1).await;
    world.results.revoke(&world.tenant, id, Timestamp::now()).await.unwrap();
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert_eq!(world.counts(id).await, (State::Revoked, 1, 1));
}

async fn a_broadcast_for_a_request_that_is_not_revoked_stops_nothing(world: World) {
    let (running, decoy, finish) = (Event::new(), Event::new(), Event::new());
    let (started, wanted) = (running.clone(), finish.clone());
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        tokio::select! {
            () = wanted.happened() => done(),
            () = attempt.context.stop().asked() => mogbox_core::Outcome::Stopped(StopReason::Revoked),
        }
    });
    let script = script.then(TASK, finish_when_asked(&decoy)).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    world.runs(id, 1).await;
    node.listens().await;
    let revoked = world.submit_task(TASK).await;
    decoy.happened().await;
    world.broker.broadcast(&Control::Revoke { tenant: world.tenant.clone(), id }).await.unwrap();
    revoke(&*world.results, &*world.broker, &world.tenant, revoked, false, &Limits::default()).await.unwrap();
    // Messages come in their order: the first one was heard when the second one has had its effect.
    node.settled(1).await;
    assert_eq!((world.counts(id).await.0, world.counts(revoked).await.0), (State::Running, State::Revoked));
    finish.happens();
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
}
