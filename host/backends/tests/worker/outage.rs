//! A Redis server that dies and comes back while attempts run.

use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::redis::RedisConnection;
use mogbox_core::broker::Backlog;
use mogbox_core::result::{State, Value};
use mogbox_core::store::{StoreError, WaitMode};
use mogbox_fixtures::RedisServer;

use crate::event::{Event, soon};
use crate::script::{Script, done, saw};
use crate::world::{TASK, World, json};

const DURABLE: [&str; 6] = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

async fn durable() -> (RedisServer, World) {
    let server = RedisServer::start_with(&DURABLE).unwrap();
    let connection = RedisConnection::open(&server.url()).await.unwrap();
    let world = World::on_redis(server.url(), connection).await;
    (server, world)
}

/// Asks until the server answers again.
async fn answered<T, F: Future<Output = Result<T, StoreError>>>(ask: impl Fn() -> F) -> T {
    let answered = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    };
    soon(answered).await
}

/// The backlog, asked over a new connection: the client's own may still be the broken one.
async fn backlog(world: &World) -> Backlog {
    let settings = BrokerSettings { queues: vec![world.queue.clone()], ..BrokerSettings::default() };
    world.backend.broker(settings).await.backlog(&world.tenant).await.unwrap()
}

/// The end of a request through an outage.
async fn end(world: &World, id: mogbox_core::RequestId) -> (State, u32, u32) {
    let ids = [id];
    let result = answered(|| world.results.wait(&world.tenant, &ids, WaitMode::All)).await.remove(0).unwrap();
    (result.state, result.number_of_starts, result.number_of_stops)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_while_an_attempt_runs_loses_nothing() {
    let (mut server, world) = durable().await;
    let (running, finish) = (Event::new(), Event::new());
    let (started, may_finish) = (running.clone(), finish.clone());
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        may_finish.happened().await;
        saw(&attempt.context.attempt())
    });
    let script = script.answer(TASK, done()).ready();
    let node = world.node_with(&script, crate::node::Options { concurrency: 1, ..Default::default() }).await;
    let (first, second) = (world.submit_task(TASK).await, world.submit_task(TASK).await);
    running.happened().await;
    server.kill();
    finish.happens();
    server.restart().unwrap();
    assert_eq!((end(&world, first).await, end(&world, second).await), ((State::Success, 1, 1), (State::Success, 1, 1)));
    assert_eq!(world.value(first).await, Value::Success(json("1")));
    assert_eq!(script.executed(TASK), [1, 1]);
    node.settled(2).await;
    node.shutdown().await;
    assert_eq!(backlog(&world).await, Backlog::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_call_waits_for_a_server_that_comes_back() {
    let (mut server, world) = durable().await;
    let (running, down) = (Event::new(), Event::new());
    let (started, is_down) = (running.clone(), down.clone());
    let script = Script::default().then(TASK, |attempt| async move {
        started.happens();
        is_down.happened().await;
        attempt.context.set_state("step", &json("1")).await.unwrap();
        mogbox_core::Outcome::Success(attempt.context.state("step").await.unwrap().unwrap())
    });
    let node = world.node(&script.ready()).await;
    let id = world.submit_task(TASK).await;
    running.happened().await;
    server.kill();
    down.happens();
    server.restart().unwrap();
    assert_eq!((end(&world, id).await, world.value(id).await), ((State::Success, 1, 1), Value::Success(json("1"))));
    node.shutdown().await;
    assert_eq!(backlog(&world).await, Backlog::default());
}
