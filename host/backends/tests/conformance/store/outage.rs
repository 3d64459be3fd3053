//! A store that goes away and comes back.

use mogbox_backends::embedded::{Database, EmbeddedResults};
use mogbox_backends::redis::RedisConnection;
use mogbox_core::result::State;
use mogbox_core::store::{ResultStore, StoreError, Transitioned, WaitMode};
use mogbox_fixtures::RedisServer;

use super::raw::Raw;
use super::world::{World, finish, now, request, soon, start};

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Asks until the store answers again; each try fails only as unavailable.
async fn until_it_answers<T, F: Future<Output = Result<T, StoreError>>>(ask: impl Fn() -> F) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_unavailable_and_then_works_again() {
    let mut server = RedisServer::start_with(&DURABLE).unwrap();
    let world = World::on_redis(RedisConnection::open(&server.url()).await.unwrap());
    let (id, tenant) = (world.running().await, &world.tenant);
    server.kill();
    let refused = soon(world.results.transition(tenant, id, 1, &finish(State::Success))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    server.restart().unwrap();
    let end = finish(State::Success);
    assert_eq!(soon(until_it_answers(|| world.results.transition(tenant, id, 1, &end))).await, Transitioned::Applied);
    assert_eq!(world.counters(id).await, (State::Success, 1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_outlives_a_restart_of_the_server() {
    let mut server = RedisServer::start_with(&DURABLE).unwrap();
    let world = World::on_redis(RedisConnection::open(&server.url()).await.unwrap());
    let (id, tenant) = (world.running().await, world.tenant.clone());
    let (results, ids) = (std::sync::Arc::clone(&world.results), [id]);
    let waiting = async { until_it_answers(|| results.wait(&tenant, &ids, WaitMode::All)).await };
    let restart = async {
        server.kill();
        server.restart().unwrap();
        let end = finish(State::Success);
        until_it_answers(|| world.results.transition(&world.tenant, id, 1, &end)).await
    };
    let (found, ended) = soon(async { tokio::join!(waiting, restart) }).await;
    assert_eq!(ended, Transitioned::Applied);
    assert_eq!(found[0].as_ref().map(|result| result.state), Some(State::Success));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_becomes_a_replica_is_left_for_a_new_connection() {
    let server = RedisServer::start().unwrap();
    let world = World::on_redis(RedisConnection::open(&server.url()).await.unwrap());
    let (id, mut raw) = (world.submitted().await, Raw::to(&server.url()).await);
    let before = script_callers(&mut raw).await;
    let _: String = raw.call("REPLICAOF", "127.0.0.1", &[b"1"]).await;
    let refused = world.results.transition(&world.tenant, id, 1, &start()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let _: String = raw.call("REPLICAOF", "NO", &[b"ONE"]).await;
    let step = start();
    assert_eq!(soon(until_it_answers(|| world.results.transition(&world.tenant, id, 1, &step))).await, Transitioned::Applied);
    let after = script_callers(&mut raw).await;
    assert!(after.iter().any(|caller| !before.contains(caller)), "{before:?} {after:?}");
}

/// Connections whose last command was a script.
async fn script_callers(raw: &mut Raw) -> Vec<String> {
    let list: String = raw.call("CLIENT", "LIST", &[]).await;
    let callers = list.lines().filter(|line| line.contains(" cmd=evalsha "));
    callers.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_server_that_may_evict_is_refused_with_the_way_out() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru", "--save", ""]).unwrap();
    let error = RedisConnection::open(&server.url()).await.err().unwrap().to_string();
    assert!(error.contains("its maxmemory-policy is allkeys-lru"), "{error}");
    assert!(error.ends_with("; set maxmemory-policy to noeviction there"), "{error}");
}

#[tokio::test]
async fn an_embedded_database_holds_everything_when_it_is_opened_again() {
    let (folder, tenant, request) = (tempfile::tempdir().unwrap(), crate::harness::fresh_tenant(), request());
    let results = EmbeddedResults::new(Database::open(folder.path()).unwrap());
    results.create(&tenant, &request, now()).await.unwrap();
    results.transition(&tenant, request.id, 1, &start()).await.unwrap();
    drop(results);
    let results = EmbeddedResults::new(Database::open(folder.path()).unwrap());
    assert_eq!(results.transition(&tenant, request.id, 1, &finish(State::Success)).await.unwrap(), Transitioned::Applied);
    let found = results.read(&tenant, &[request.id]).await.unwrap().remove(0).unwrap();
    assert_eq!((found.state, found.number_of_starts, found.number_of_stops), (State::Success, 1, 1));
}
