//! A node that shuts down: what can finish finishes, the rest goes to another node at once.

use std::time::Duration;

use mogbox_core::broker::Backlog;
use mogbox_core::executor::StopReason;
use mogbox_core::outcome::Outcome;
use mogbox_core::result::{State, Value};

use crate::event::Event;
use crate::node::Options;
use crate::script::{Script, done, saw};
use crate::tap::Hold;
use crate::world::{TASK, World, json, on_all};

on_all! { World;
    an_attempt_that_finishes_when_asked_is_not_given_back
    an_attempt_that_does_not_finish_in_time_is_given_back_and_run_by_another
    a_task_that_pauses_because_its_node_drains_is_given_back_at_once
    what_is_handed_out_while_the_node_drains_is_given_back
    a_node_that_shuts_down_takes_no_more
    what_is_given_back_while_another_node_waits_for_work_is_run_by_it
}

const GIVEN_BACK: Backlog = Backlog { ready: 1, delayed: 0, leased: 0, dead: 0 };

/// An attempt that says that it runs, and ends so when it is asked to finish.
fn when_asked(script: Script, running: &Event, outcome: Outcome) -> Script {
    let running = running.clone();
    script.then(TASK, |attempt| async move {
        running.happens();
        attempt.context.stop().asked().await;
        assert!(attempt.context.stop().reason() == Some(StopReason::Draining) && !attempt.context.stop().is_forced());
        outcome
    })
}

async fn an_attempt_that_finishes_when_asked_is_not_given_back(world: World) {
    let running = Event::new();
    let script = when_asked(Script::default(), &running, done()).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    node.shutdown().await;
    assert_eq!((world.counts(id).await, world.backlog().await), ((State::Success, 1, 1), Backlog::default()));
}

async fn an_attempt_that_does_not_finish_in_time_is_given_back_and_run_by_another(world: World) {
    let running = Event::new();
    let script = Script::default().resist(TASK, &running).answer(TASK, saw(&2)).ready();
    let node = world.node_with(&script, Options { drain_grace: Duration::from_millis(100), ..Options::default() }).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    node.shutdown().await;
    assert_eq!((world.counts(id).await, world.backlog().await), ((State::Suspended, 1, 1), GIVEN_BACK));
    let other = world.node(&script).await;
    other.settled(1).await;
    assert_eq!((world.counts(id).await, world.value(id).await), ((State::Success, 2, 2), Value::Success(json("2"))));
    assert_eq!(world.backlog().await, Backlog::default());
}

async fn a_task_that_pauses_because_its_node_drains_is_given_back_at_once(world: World) {
    let running = Event::new();
    let pause = Outcome::Pause { after: Some(Duration::from_secs(3_600)) };
    let script = when_asked(Script::default(), &running, pause).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    node.shutdown().await;
    assert_eq!((world.counts(id).await, world.backlog().await), ((State::Suspended, 1, 1), GIVEN_BACK));
}

async fn what_is_handed_out_while_the_node_drains_is_given_back(world: World) {
    let (script, hold) = (Script::default().ready(), Hold::default());
    let node = world.node_with(&script, Options { hold: Some(hold.clone()), ..Options::default() }).await;
    let id = world.submit_task(TASK).await;
    hold.taken.happened().await;
    node.shutdown_and(|| hold.release.happens()).await;
    assert_eq!(script.executed(TASK), [0; 0]);
    assert_eq!((world.counts(id).await, world.backlog().await), ((State::Pending, 0, 0), GIVEN_BACK));
}

async fn a_node_that_shuts_down_takes_no_more(world: World) {
    let running = Event::new();
    let script = when_asked(Script::default(), &running, done()).answer(TASK, done()).ready();
    let node = world.node_with(&script, Options { concurrency: 1, ..Options::default() }).await;
    world.submit_task(TASK).await;
    running.happened().await;
    let second = world.submit_task(TASK).await;
    node.shutdown().await;
    assert_eq!((world.counts(second).await, world.backlog().await), ((State::Pending, 0, 0), GIVEN_BACK));
    assert_eq!(script.executed(TASK), [1]);
}

async fn what_is_given_back_while_another_node_waits_for_work_is_run_by_it(world: World) {
    let running = [0; 10].map(|_| Event::new());
    let resisting = running.iter().fold(Script::default(), |script, event| script.resist(TASK, event));
    let script = running.iter().fold(resisting, |script, _| script.answer(TASK, done())).ready();
    // Some places are kept for other tenants.
    let options = Options { concurrency: 2 * running.len(), drain_grace: Duration::from_millis(100), ..Options::default() };
    let node = world.node_with(&script, options.clone()).await;
    let mut ids = Vec::new();
    for event in &running {
        ids.push(world.submit_task(TASK).await);
        event.happened().await;
    }
    let other = world.node_with(&script, options).await;
    other.listens().await;
    node.shutdown().await;
    for id in ids {
        assert_eq!(world.end(id).await, (State::Success, 2, 2));
    }
    other.shutdown().await;
    assert_eq!(world.backlog().await, Backlog::default());
}
