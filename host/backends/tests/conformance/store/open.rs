//! Results that are not final, as whoever looks for lost requests sees them.

use jiff::{SignedDuration, Timestamp};
use mogbox_core::ids::RequestId;
use mogbox_core::request::Request;
use mogbox_core::result::State;
use mogbox_core::store::{OpenResult, Transition};
use mogbox_fixtures::RedisServer;

use super::raw::{Raw, result_key};
use super::world::{World, finish, now, request, start};
use crate::harness::on_both;

on_both! { Alone;
    results_are_open_from_their_creation_to_their_end_oldest_first
    only_results_created_between_two_moments_are_read
}

/// A store that no other test uses.
struct Alone {
    world: World,
    server: Option<RedisServer>,
}

impl Alone {
    async fn redis() -> Self {
        let server = RedisServer::start().unwrap();
        let connection = mogbox_backends::redis::RedisConnection::open(&server.url()).await.unwrap();
        Self { world: World::on_redis(connection), server: Some(server) }
    }

    async fn embedded() -> Self {
        Self { world: World::embedded().await, server: None }
    }

    async fn created(&self, request: &Request, at: Timestamp) -> RequestId {
        assert!(self.world.results.create(&self.world.tenant, request, at).await.unwrap());
        request.id
    }

    async fn open(&self) -> Vec<OpenResult> {
        self.world.results.open(Timestamp::UNIX_EPOCH, Timestamp::MAX, 100).await.unwrap()
    }
}

fn seconds_later(moment: Timestamp, seconds: i64) -> Timestamp {
    moment + SignedDuration::from_secs(seconds)
}

async fn results_are_open_from_their_creation_to_their_end_oldest_first(alone: Alone) {
    let (world, at) = (&alone.world, now());
    let elsewhere = Request { queue_name: Some("elsewhere".to_owned()), ..request() };
    let mut ids = Vec::new();
    for (number, request) in [&request(), &elsewhere, &request(), &request()].into_iter().enumerate() {
        ids.push(alone.created(request, seconds_later(at, 10 - number as i64)).await);
    }
    world.step(ids[0], 1, start()).await;
    world.step(ids[0], 2, start()).await;
    world.step(ids[0], 2, Transition::Suspend).await;
    let of = |number: usize, queue: &str, state, attempt| OpenResult {
        tenant: world.tenant.clone(),
        queue: queue.parse().unwrap(),
        id: ids[number],
        state,
        attempt,
        created: seconds_later(at, 10 - number as i64),
    };
    let [suspended, elsewhere] = [of(0, "tasks", State::Suspended, 2), of(1, "elsewhere", State::Pending, 0)];
    assert_eq!(
        alone.open().await,
        [of(3, "tasks", State::Pending, 0), of(2, "tasks", State::Pending, 0), elsewhere.clone(), suspended.clone()]
    );
    world.step(ids[2], 1, finish(State::Invalid)).await;
    world.revoke(ids[3]).await;
    assert_eq!(alone.open().await, [elsewhere, suspended]);
    world.step(ids[0], 2, finish(State::Success)).await;
    world.step(ids[1], 0, finish(State::Failure)).await;
    assert_eq!(alone.open().await, []);
    if let Some(server) = &alone.server {
        assert_eq!(Raw::to(&server.url()).await.call::<i64>("EXISTS", "mogbox.open", &[]).await, 0);
        assert!(Raw::to(&server.url()).await.hash(&result_key(&world.tenant, ids[1], "")).await.iter().all(|(name, _)| name != "queue"));
    }
}

async fn only_results_created_between_two_moments_are_read(alone: Alone) {
    let (results, at) = (&alone.world.results, now());
    let mut ids = Vec::new();
    for second in 0..5 {
        ids.push(alone.created(&request(), seconds_later(at, second)).await);
    }
    let between = async |after: i64, until: i64, most| {
        let open = results.open(seconds_later(at, after), seconds_later(at, until), most).await.unwrap();
        open.into_iter().map(|result| result.id).collect::<Vec<_>>()
    };
    assert_eq!(between(0, 3, 100).await, ids[1..4]);
    assert_eq!(between(-1, 9, 2).await, ids[..2]);
    assert_eq!(between(1, 9, 2).await, ids[2..4]);
    assert_eq!(between(4, 9, 2).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_ended_deleted_or_spoilt_does_not_hide_the_rest() {
    let alone = Alone::redis().await;
    let (world, at) = (&alone.world, now());
    let mut raw = Raw::to(&alone.server.as_ref().unwrap().url()).await;
    let mut ids = Vec::new();
    for second in 0..4 {
        ids.push(alone.created(&request(), seconds_later(at, second)).await);
    }
    let key = |number: usize| result_key(&world.tenant, ids[number], "");
    raw.call::<i64>("HSET", key(0), &[b"state", b"\"REVOKED\""]).await;
    raw.call::<i64>("DEL", key(1), &[]).await;
    raw.call::<i64>("HSET", key(2), &[b"attempt", b"many"]).await;
    raw.call::<i64>("ZADD", "mogbox.open", &[b"1", b"no key of ours"]).await;
    let open: Vec<RequestId> = alone.open().await.into_iter().map(|result| result.id).collect();
    assert_eq!(open, [ids[3]]);
    assert_eq!(raw.call::<Vec<String>>("ZRANGE", "mogbox.open", &[b"0", b"-1"]).await, [key(2), key(3)]);
}
