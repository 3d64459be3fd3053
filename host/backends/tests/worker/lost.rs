//! Requests that no node can run any more, since no broker has a message for them: they end, and only they.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mogbox_backends::redis::RedisConnection;
use mogbox_core::broker::Submission;
use mogbox_core::ids::{NodeId, RequestId};
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{Start, Transition};
use mogbox_fixtures::RedisServer;

use crate::event::Event;
use crate::harness::on_both;
use crate::node::Options;
use crate::script::Script;
use crate::world::{TASK, World};

on_both! { Alone;
    a_result_without_a_message_ends_and_says_why
    a_result_whose_message_is_gone_ends_although_an_attempt_started
    what_waits_is_held_back_or_runs_is_not_lost
    two_nodes_end_hundreds_that_are_lost_once_each
}

/// A place that no other test uses: they leave results behind as well.
struct Alone {
    world: World,
    _server: Option<RedisServer>,
}

impl Alone {
    async fn redis() -> Self {
        let server = RedisServer::start().unwrap();
        let connection = RedisConnection::open(&server.url()).await.unwrap();
        Self { world: World::on_redis(server.url(), connection).await, _server: Some(server) }
    }

    async fn embedded() -> Self {
        Self { world: World::embedded().await, _server: None }
    }

    /// A request whose submitter died before the broker had it.
    async fn cut_off(&self) -> RequestId {
        let request = self.world.request(TASK);
        assert!(self.world.results.create(&self.world.tenant, &request, Timestamp::now()).await.unwrap());
        request.id
    }

    async fn reason(&self, id: RequestId) -> String {
        match self.world.value(id).await {
            Value::Exception(Exception::Failed { kind, message, .. }) if kind == "Lost" => message,
            other => panic!("{other:?}"),
        }
    }
}

fn hasty() -> Options {
    Options { lost_after: Duration::from_millis(200), ..Options::default() }
}

async fn a_result_without_a_message_ends_and_says_why(alone: Alone) {
    let id = alone.cut_off().await;
    let _node = alone.world.node_with(&Script::default().ready(), hasty()).await;
    assert_eq!(alone.world.end(id).await, (State::Failure, 0, 1));
    let reason = alone.reason(id).await;
    assert!(reason.starts_with(&format!("queue {} has no message for it: whoever submitted it", alone.world.queue)), "{reason}");
    assert!(reason.ends_with("it did not run: submit it again, under another id"), "{reason}");
}

async fn a_result_whose_message_is_gone_ends_although_an_attempt_started(alone: Alone) {
    let (world, id) = (&alone.world, alone.cut_off().await);
    let start = Transition::Start(Start { node_id: NodeId::random(), at: Timestamp::now() });
    world.results.transition(&world.tenant, id, 7, &start).await.unwrap();
    let _node = world.node_with(&Script::default().ready(), hasty()).await;
    assert_eq!(world.end(id).await, (State::Failure, 1, 1));
    assert!(alone.reason(id).await.contains("attempt 7 had started"), "{}", alone.reason(id).await);
}

async fn what_waits_is_held_back_or_runs_is_not_lost(alone: Alone) {
    let (world, runs) = (&alone.world, Event::new());
    let running = world.submit_task(TASK).await;
    let _node = world.node_with(&Script::default().hang(TASK, &runs).ready(), Options { concurrency: 1, ..hasty() }).await;
    runs.happened().await;
    world.runs(running, 1).await;
    let ready = world.submit_task(TASK).await;
    let (held_back, queue) = (alone.cut_off().await, world.queue.clone());
    let request = Arc::new(mogbox_core::request::Request { id: held_back, ..world.request(TASK) });
    let delay = Duration::from_secs(3_600);
    world.broker.submit(&[Submission { tenant: world.tenant.clone(), queue, request, delay }]).await.unwrap();
    // Younger than they are: when both have ended, one after the other, the older ones were looked at, more than once.
    for _ in 0..2 {
        let lost = alone.cut_off().await;
        assert_eq!(world.end(lost).await, (State::Failure, 0, 1));
    }
    let states = [world.counts(running).await, world.counts(ready).await, world.counts(held_back).await];
    assert_eq!(states, [(State::Running, 1, 0), (State::Pending, 0, 0), (State::Pending, 0, 0)]);
}

async fn two_nodes_end_hundreds_that_are_lost_once_each(alone: Alone) {
    let mut lost = Vec::new();
    for _ in 0..300 {
        lost.push(alone.cut_off().await);
    }
    let script = Script::default().ready();
    let _nodes = [alone.world.node_with(&script, hasty()).await, alone.world.node_with(&script, hasty()).await];
    for id in lost {
        assert_eq!(alone.world.end(id).await, (State::Failure, 0, 1));
    }
}
