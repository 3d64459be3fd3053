//! A Redis server that goes away and comes back, and what strangers write there.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::redis::RedisConnection;
use mogbox_backends::redis::broker::RedisBroker;
use mogbox_core::broker::{Broker, BrokerError, Control, Submission, Wanted};
use mogbox_core::ids::{QueueName, Tenant};
use mogbox_core::request::Request;
use mogbox_fixtures::RedisServer;

use super::world::{LONG, SOON, redis_by_hand};
use crate::harness::redis_connection;

const LEASE: Duration = Duration::from_millis(200);

fn durable_server() -> RedisServer {
    RedisServer::start_with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).unwrap()
}

async fn broker(server: &RedisServer) -> Arc<RedisBroker> {
    broker_with(server, LEASE).await
}

async fn broker_with(server: &RedisServer, lease: Duration) -> Arc<RedisBroker> {
    let connection = RedisConnection::open(&server.url()).await.unwrap();
    Arc::new(RedisBroker::new(connection, BrokerSettings { lease, ..BrokerSettings::default() }).unwrap())
}

fn request() -> Submission {
    let request = Arc::new(Request::new("example.add".parse().unwrap()));
    Submission { tenant: Tenant::default(), queue: QueueName::default(), request, delay: Duration::ZERO }
}

/// Calls until the server is reached again: a broken connection is found by the call that uses it.
async fn until_reached<T>(call: impl AsyncFn() -> Result<T, BrokerError>) -> T {
    let reached = async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(error) => assert!(matches!(error, BrokerError::Unavailable(_)), "{error}"),
            }
        }
    };
    tokio::time::timeout(LONG, reached).await.expect("the broker reaches the server again")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_leave_in_the_keys_of_a_queue_does_not_stop_it() {
    let server = RedisServer::start().unwrap();
    // What was handed out must not come back in the middle.
    let broker = broker_with(&server, LONG).await;
    let mut by_hand = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    broker.submit(&[request()]).await.unwrap();
    let shard: Vec<String> = redis::cmd("KEYS").arg("mogbox:*:shard").query(&mut by_hand).unwrap();
    let base = shard[0].trim_end_matches("shard").to_owned();
    for (key, field) in [("leases", "nocolon"), ("delayed", "nocolon"), ("runnable", "nobody")] {
        redis::cmd("ZADD").arg(format!("{base}{key}")).arg(1).arg(field).query::<()>(&mut by_hand).unwrap();
    }
    for (field, nonsense) in [("vtime", "nan"), ("vtime", "x"), ("sequence", "x"), ("sequence", "1.5")] {
        redis::cmd("HSET").arg(format!("{base}shard")).arg(field).arg(nonsense).query::<()>(&mut by_hand).unwrap();
        broker.submit(&[request()]).await.unwrap();
        assert_eq!(
            broker.receive(&Wanted::any(9), SOON).await.unwrap().len(),
            if (field, nonsense) == ("vtime", "nan") { 2 } else { 1 },
            "{field} {nonsense}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_hands_out_what_was_leased_before() {
    let mut server = durable_server();
    let broker = broker(&server).await;
    broker.submit(&[request(), request()]).await.unwrap();
    let held = broker.receive(&Wanted::any(1), SOON).await.unwrap().remove(0);
    server.kill();
    let error = broker.receive(&Wanted::any(1), SOON).await.unwrap_err();
    assert!(matches!(error, BrokerError::Unavailable(_)), "{error}");
    assert!(matches!(broker.submit(&[request()]).await, Err(BrokerError::Unavailable(_))));
    server.restart().unwrap();
    let mut fences = Vec::new();
    while fences.len() < 2 {
        let deliveries = until_reached(async || broker.receive(&Wanted::any(2), SOON).await).await;
        fences.extend(deliveries.iter().map(|delivery| (delivery.lease.id == held.lease.id, delivery.lease.fence, delivery.expiries)));
        broker.settle(&deliveries.into_iter().map(|delivery| delivery.done(LEASE)).collect::<Vec<_>>()).await.unwrap();
    }
    fences.sort();
    assert_eq!(fences, [(false, 1, 0), (true, 2, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_sleeps_is_told_when_the_server_goes_away() {
    let mut server = durable_server();
    let broker = broker(&server).await;
    let sleeping = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.receive(&Wanted::any(1), LONG).await }
    });
    let mut by_hand = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let asleep = |by_hand: &mut redis::Connection| redis::cmd("CLIENT").arg("LIST").query::<String>(by_hand).unwrap().contains("cmd=blpop");
    while !asleep(&mut by_hand) {
        tokio::task::yield_now().await;
    }
    server.kill();
    let error = tokio::time::timeout(LONG, sleeping).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, BrokerError::Unavailable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_messages_are_heard_again_after_a_restart() {
    let mut server = durable_server();
    let broker = broker(&server).await;
    let mut stream = broker.control().await.unwrap();
    server.restart().unwrap();
    let sent = Control::ModulesChanged { tenant: Tenant::default() };
    let speaking = tokio::spawn({
        let (broker, sent) = (Arc::clone(&broker), sent.clone());
        async move {
            loop {
                // Messages that are sent before the listener is back are lost, as the port says.
                let _ = broker.broadcast(&sent).await;
                tokio::task::yield_now().await;
            }
        }
    });
    assert_eq!(tokio::time::timeout(LONG, stream.next()).await.unwrap(), Some(sent));
    speaking.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_control_messages_are_passed_over() {
    let broker = RedisBroker::new(redis_connection().await, BrokerSettings::default()).unwrap();
    let stream = broker.control().await.unwrap();
    let mut by_hand = redis_by_hand();
    for strange in [&b"\xff\x00"[..], b"{", b"{\"kind\":\"format-disk\"}", &[b'['; 100_000]] {
        redis::cmd("PUBLISH").arg("mogbox.control").arg(strange).query::<()>(&mut by_hand).unwrap();
    }
    let sent = Control::ModulesChanged { tenant: crate::harness::fresh_tenant() };
    broker.broadcast(&sent).await.unwrap();
    let heard = stream.filter(|message| std::future::ready(*message == sent)).next().await;
    assert_eq!(heard, Some(sent.clone()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_in_shards_hands_out_everything() {
    let queue: QueueName = format!("q-{}", mogbox_core::RequestId::random()).parse().unwrap();
    let settings = BrokerSettings { queues: vec![QueueName::default(), queue.clone()], shards: 8, ..BrokerSettings::default() };
    let broker = Arc::new(RedisBroker::new(redis_connection().await, settings).unwrap());
    for _ in 0..20 {
        let sleeping = tokio::spawn({
            let broker = Arc::clone(&broker);
            async move { broker.receive(&Wanted::any(1), LONG).await.unwrap().remove(0) }
        });
        tokio::task::yield_now().await;
        let submission = Submission { queue: queue.clone(), tenant: crate::harness::fresh_tenant(), ..request() };
        broker.submit(std::slice::from_ref(&submission)).await.unwrap();
        let delivery = tokio::time::timeout(SOON, sleeping).await.expect("the receiver is woken").unwrap();
        assert_eq!((delivery.lease.id, &delivery.lease.tenant), (submission.request.id, &submission.tenant));
        assert_eq!(broker.backlog(&submission.tenant).await.unwrap().leased, 1);
        broker.settle(&[delivery.done(LEASE)]).await.unwrap();
    }
    let left: Vec<String> = redis::cmd("KEYS").arg(format!("mogbox:{{{queue}:*")).query(&mut redis_by_hand()).unwrap();
    assert_eq!(left, [""; 0]);
}
