//! Requests that run again because their task or the host asks for it.

use std::time::Duration;

use mogbox_core::broker::{Backlog, Verdict};
use mogbox_core::limits::Limits;
use mogbox_core::outcome::Outcome;
use mogbox_core::result::{Exception, State, Value};

use crate::node::Options;
use crate::script::{Script, done, saw};
use crate::world::{TASK, World, json, on_all};

on_all! { World;
    a_task_that_asks_for_a_retry_runs_again_and_is_counted
    a_task_that_asks_for_too_many_retries_fails_into_the_dead_letters
    a_paused_task_runs_again_with_its_state_kept
    a_pause_is_no_retry
    an_attempt_that_the_host_could_not_make_is_made_again
}

fn retry() -> Outcome {
    Outcome::Retry { message: "the mail server is away".into(), after: Some(Duration::ZERO) }
}

fn pause() -> Outcome {
    Outcome::Pause { after: Some(Duration::ZERO) }
}

/// What an attempt sees of its own result.
fn look(world: &World, script: Script) -> Script {
    let world = world.clone();
    script.then(TASK, |attempt| async move {
        let result = world.once(attempt.context.request().id, |result| result.state == State::Running).await;
        saw(&(result.state, result.number_of_starts, result.number_of_stops, result.retries))
    })
}

async fn a_task_that_asks_for_a_retry_runs_again_and_is_counted(world: World) {
    let script = look(&world, Script::default().answer(TASK, retry())).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(2).await, [Verdict::RetryAfter(Duration::from_millis(50)), Verdict::Done]);
    assert_eq!(world.value(id).await, Value::Success(json(r#"["RUNNING",2,1,1]"#)));
    assert_eq!((world.counts(id).await, world.backlog().await), ((State::Success, 2, 2), Backlog::default()));
}

async fn a_task_that_asks_for_too_many_retries_fails_into_the_dead_letters(world: World) {
    let script = (0..5).fold(Script::default(), |script, _| script.answer(TASK, retry())).ready();
    let options = Options { limits: Limits { retries: 2, ..Limits::default() }, ..Options::default() };
    let node = world.node_with(&script, options).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(3).await.len(), 3);
    assert_eq!((world.counts(id).await, script.executed(TASK)), ((State::Failure, 3, 3), vec![1, 2, 3]));
    let message = "the mail server is away (given up after 2 retries, the bound retries allows no more)".to_owned();
    assert_eq!(world.dead().await, [message.as_str()]);
    let failed = Exception::Failed { kind: "Retry".into(), message, traceback: String::new() };
    assert_eq!(world.value(id).await, Value::Exception(failed));
    assert_eq!(world.backlog().await, Backlog { dead: 1, ..Backlog::default() });
}

async fn a_paused_task_runs_again_with_its_state_kept(world: World) {
    let script = Script::default().then(TASK, |attempt| async move {
        attempt.context.set_state("step", &json("7")).await.unwrap();
        pause()
    });
    let script = script.then(TASK, |attempt| async move { Outcome::Success(attempt.context.state("step").await.unwrap().unwrap()) });
    let script = script.ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(2).await, [Verdict::RetryAfter(Duration::from_millis(50)), Verdict::Done]);
    assert_eq!(world.value(id).await, Value::Success(json("7")));
    assert_eq!((world.counts(id).await, script.executed(TASK)), ((State::Success, 2, 2), vec![1, 2]));
    assert_eq!(world.state.get(&world.tenant, id, "step").await.unwrap(), None);
}

async fn a_pause_is_no_retry(world: World) {
    let script = (0..6).fold(Script::default(), |script, _| script.answer(TASK, pause()));
    let node = world.node(&look(&world, script).ready()).await;
    let id = world.submit_task(TASK).await;
    node.settled(7).await;
    assert_eq!(world.value(id).await, Value::Success(json(r#"["RUNNING",7,6,0]"#)));
}

async fn an_attempt_that_the_host_could_not_make_is_made_again(world: World) {
    let script = Script::default().answer(TASK, Outcome::Unavailable("no memory left".into())).answer(TASK, done()).ready();
    let node = world.node(&script).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(2).await.last(), Some(&Verdict::Done));
    assert_eq!((world.counts(id).await, world.backlog().await), ((State::Success, 2, 2), Backlog::default()));
}
