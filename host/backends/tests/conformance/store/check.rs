//! Whether attempts may start: the first rule that applies, for many at once, each apart from the others.

use mogbox_core::ids::RequestId;
use mogbox_core::result::State;
use mogbox_core::store::{Beginning, Begun, StoreError, Transition};
use mogbox_fixtures::RedisServer;

use super::raw::{Raw, result_key};
use super::world::{FINAL, World, finish, start};
use crate::harness::on_both;

on_both! { World;
    what_may_start_is_admitted_with_its_retries_and_nothing_is_written
    a_result_that_is_gone_final_or_held_by_a_later_attempt_keeps_an_attempt_from_starting
    attempts_that_ended_unexpectedly_are_counted_by_result_and_broker
    every_ancestor_must_exist_and_none_be_revoked
    hundreds_are_answered_in_their_order
}

fn beginning(world: &World, id: RequestId) -> Beginning {
    Beginning { tenant: world.tenant.clone(), id, fence: 1, ancestors: Vec::new(), expiries: 0, max_unexpected: 3 }
}

async fn check(world: &World, one: Beginning) -> Begun {
    world.results.check(&[one]).await.remove(0).unwrap()
}

async fn what_may_start_is_admitted_with_its_retries_and_nothing_is_written(world: World) {
    let id = world.submitted().await;
    let before = world.result(id).await;
    assert_eq!(check(&world, beginning(&world, id)).await, Begun::Admitted { retries: 0 });
    assert_eq!(world.result(id).await, before);
    world.start_and(id, 1, Transition::Retry).await;
    assert_eq!(check(&world, Beginning { fence: 2, ..beginning(&world, id) }).await, Begun::Admitted { retries: 1 });
}

async fn a_result_that_is_gone_final_or_held_by_a_later_attempt_keeps_an_attempt_from_starting(world: World) {
    assert_eq!(check(&world, beginning(&world, RequestId::random())).await, Begun::Missing);
    for state in FINAL {
        let id = world.finished(state).await;
        assert_eq!(check(&world, Beginning { expiries: 9, ..beginning(&world, id) }).await, Begun::Final(state));
    }
    let id = world.submitted().await;
    world.step(id, 3, start()).await;
    assert_eq!(check(&world, Beginning { fence: 2, expiries: 9, ..beginning(&world, id) }).await, Begun::Fenced);
}

async fn attempts_that_ended_unexpectedly_are_counted_by_result_and_broker(world: World) {
    let id = world.submitted().await;
    for fence in 1..=4 {
        world.step(id, fence, start()).await;
    }
    let one = Beginning { fence: 5, ancestors: vec![RequestId::random()], ..beginning(&world, id) };
    assert_eq!(check(&world, one.clone()).await, Begun::TooManyRetries(4));
    assert_eq!(check(&world, Beginning { expiries: 7, ..one.clone() }).await, Begun::TooManyRetries(7));
    world.step(id, 4, Transition::Suspend).await;
    assert_eq!(check(&world, Beginning { ancestors: Vec::new(), ..one }).await, Begun::Admitted { retries: 0 });
}

async fn every_ancestor_must_exist_and_none_be_revoked(world: World) {
    let (id, fine, failed) = (world.submitted().await, world.running().await, world.finished(State::Failure).await);
    let (revoked, gone) = (world.finished(State::Revoked).await, RequestId::random());
    for (ancestors, expected) in [
        (vec![fine, failed], Begun::Admitted { retries: 0 }),
        (vec![fine, revoked, gone], Begun::Orphaned { ancestor: revoked, revoked: true }),
        (vec![failed, gone, revoked], Begun::Orphaned { ancestor: gone, revoked: false }),
    ] {
        assert_eq!(check(&world, Beginning { ancestors, ..beginning(&world, id) }).await, expected);
    }
}

async fn hundreds_are_answered_in_their_order(world: World) {
    let (id, gone, parent) = (world.submitted().await, RequestId::random(), world.running().await);
    let ancestors = |number: usize| vec![parent; number % 3];
    let one = |number| Beginning { ancestors: ancestors(number), ..beginning(&world, if number % 5 == 0 { gone } else { id }) };
    let answers = world.results.check(&(0..600).map(one).collect::<Vec<_>>()).await;
    let expected = |number| Ok(if number % 5 == 0 { Begun::Missing } else { Begun::Admitted { retries: 0 } });
    assert_eq!(answers, (0..600).map(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_others_spoilt_keeps_no_other_attempt_from_starting() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(world.submitted().await);
    }
    let key = |number: usize| result_key(&world.tenant, ids[number], "");
    for (number, field, value) in [(1, "number_of_stops", b"many".as_slice()), (2, "state", b"\"DONE\""), (3, "attempt", b"\xff")] {
        raw.call::<i64>("HSET", key(number), &[field.as_bytes(), value]).await;
    }
    raw.call::<String>("SET", key(4), &[b"text"]).await;
    // Mognet's client leaves a hash without a state when it asks for what is not there yet.
    raw.call::<i64>("HDEL", key(5), &[b"state"]).await;
    let mut beginnings: Vec<Beginning> = ids.iter().map(|id| beginning(&world, *id)).collect();
    beginnings[6].ancestors = vec![ids[5], ids[4]];
    let answers = world.results.check(&beginnings).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match number {
            0 | 5 => assert_eq!(answer, Ok(Begun::Admitted { retries: 0 })),
            _ => assert!(matches!(answer, Err(StoreError::Malformed(_))), "{number}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_final_result_is_final_whatever_else_it_holds() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let id = world.finished(State::Success).await;
    raw.call::<i64>("HSET", result_key(&world.tenant, id, ""), &[b"number_of_starts", b"many"]).await;
    assert_eq!(check(&world, beginning(&world, id)).await, Begun::Final(State::Success));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_answers_for_none() {
    let mut server = RedisServer::start().unwrap();
    let world = World::on_redis(mogbox_backends::redis::RedisConnection::open(&server.url()).await.unwrap());
    let id = world.running().await;
    world.step(id, 1, finish(State::Success)).await;
    server.kill();
    let answers = world.results.check(&[beginning(&world, id), beginning(&world, RequestId::random())]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{answers:?}");
    assert_eq!(answers.len(), 2);
}
