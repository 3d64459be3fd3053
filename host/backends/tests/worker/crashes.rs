//! Nodes that die: what they held is handed out again, but not for ever.

use mogbox_core::broker::{Backlog, Verdict, Wanted};
use mogbox_core::result::{Exception, State, Value};

use crate::event::{Event, soon};
use crate::node::Options;
use crate::script::{Script, done};
use crate::world::{TASK, World, on_all};

on_all! { World;
    a_request_whose_node_died_is_finished_by_another
    a_request_that_kills_each_node_is_given_up_after_four_executions
    nodes_that_die_before_the_start_count_as_well
    an_attempt_that_panics_counts_as_a_crash_and_the_node_goes_on
    a_worker_that_is_dropped_ends_its_attempts_and_takes_no_more
}

async fn a_request_whose_node_died_is_finished_by_another(world: World) {
    let running = Event::new();
    let script = Script::default().hang(TASK, &running).answer(TASK, done()).ready();
    let node = world.node_with(&script, Options::short_lease()).await;
    let id = world.submit_task(TASK).await;
    world.runs(id, 1).await;
    node.dies();
    let other = world.node(&script).await;
    assert_eq!(other.settled(1).await, [Verdict::Done]);
    assert_eq!((world.counts(id).await, script.executed(TASK)), ((State::Success, 2, 1), vec![1, 2]));
    assert_eq!(world.result(id).await.node_id.as_deref(), Some(other.id.as_str()));
    assert_eq!(world.backlog().await, Backlog::default());
}

/// The request was given up: it failed, and lies in the dead letters with the reason.
async fn given_up(world: &World, id: mogbox_core::RequestId, starts: u32) {
    assert_eq!(world.counts(id).await, (State::Failure, starts, 1));
    assert_eq!(world.value(id).await, Value::Exception(Exception::TooManyRetries { id, actual: 4, max: 3 }));
    assert_eq!(world.dead().await, ["4 attempts ended unexpectedly, at most 3 are allowed"]);
    assert_eq!(world.backlog().await, Backlog { dead: 1, ..Backlog::default() });
}

async fn a_request_that_kills_each_node_is_given_up_after_four_executions(world: World) {
    let crashes: Vec<Event> = (0..5).map(|_| Event::new()).collect();
    let script = crashes.iter().fold(Script::default(), |script, running| script.hang(TASK, running)).ready();
    let id = world.submit_task(TASK).await;
    for (running, starts) in crashes[..4].iter().zip(1..) {
        let node = world.node_with(&script, Options::short_lease()).await;
        running.happened().await;
        world.runs(id, starts).await;
        node.dies();
    }
    world.node(&script).await.settled(1).await;
    assert_eq!(script.executed(TASK), [1, 2, 3, 4]);
    given_up(&world, id, 4).await;
}

async fn nodes_that_die_before_the_start_count_as_well(world: World) {
    let id = world.submit_task(TASK).await;
    let settings = mogbox_backends::broker::BrokerSettings {
        queues: vec![world.queue.clone()],
        lease: std::time::Duration::from_millis(10),
        ..Default::default()
    };
    let broker = world.backend.broker(settings).await;
    for fence in 1..=4 {
        let taken = soon(broker.receive(&Wanted::any(1), std::time::Duration::from_secs(20))).await.unwrap();
        assert_eq!(taken[0].lease.fence, fence);
    }
    let script = Script::default().ready();
    world.node(&script).await.settled(1).await;
    assert_eq!(script.executed(TASK), [0; 0]);
    given_up(&world, id, 0).await;
}

async fn an_attempt_that_panics_counts_as_a_crash_and_the_node_goes_on(world: World) {
    let its = world.clone();
    let script = Script::default().then(TASK, |attempt| async move {
        its.runs(attempt.context.request().id, 1).await;
        panic!("on purpose")
    });
    let script = script.answer(TASK, done()).ready();
    let node = world.node_with(&script, Options::lease_of_two_seconds()).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert_eq!((world.counts(id).await, script.executed(TASK)), ((State::Success, 2, 1), vec![1, 2]));
}

async fn a_worker_that_is_dropped_ends_its_attempts_and_takes_no_more(world: World) {
    let (running, ended) = (Event::new(), Event::new());
    let (started, stopped) = (running.clone(), ended.clone());
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        attempt.context.stop().forced().await;
        stopped.happens();
        mogbox_core::Outcome::Stopped(attempt.context.stop().reason().unwrap())
    });
    let script = script.answer(TASK, done()).answer(TASK, done()).ready();
    let mut node = world.node_with(&script, Options::short_lease()).await;
    let first = world.submit_task(TASK).await;
    running.happened().await;
    world.runs(first, 1).await;
    node.drop_worker();
    ended.happened().await;
    let second = world.submit_task(TASK).await;
    let other = world.node(&script).await;
    assert_eq!(other.settled(2).await, [Verdict::Done, Verdict::Done]);
    assert_eq!((world.counts(first).await, world.counts(second).await), ((State::Success, 2, 1), (State::Success, 1, 1)));
    assert_eq!(node.settlements(), []);
}
