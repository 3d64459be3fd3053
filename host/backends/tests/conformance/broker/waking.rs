//! Receivers that wait are woken: by a submission, a due time, the end of a lease. Nobody polls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mogbox_core::broker::{Broker, Delivery, Wanted};
use tokio::task::JoinHandle;

use super::world::{LONG, SOON, World, delivered, take_one};
use crate::harness::on_both;

on_both! { World;
    a_submission_wakes_a_receiver_on_another_node
    a_burst_wakes_as_many_receivers_as_it_can_feed
    a_delayed_request_comes_at_its_time_and_not_before
    a_delay_longer_than_a_lease_hands_out_once
    a_delayed_request_wakes_a_receiver_that_waits_for_a_later_one
    what_is_given_back_wakes_another_node
    a_place_that_is_free_again_wakes_another_node
    a_receiver_that_finds_nothing_returns_at_the_end_of_its_wait
    a_wait_that_was_dropped_takes_nothing_with_it
}

fn receive(node: &Arc<dyn Broker>, wanted: usize) -> JoinHandle<Vec<Delivery>> {
    let node = Arc::clone(node);
    tokio::spawn(async move { node.receive(&Wanted::any(wanted), LONG).await.unwrap() })
}

/// Gives receivers the time of some calls to fall asleep. What is tested holds even where it was too short.
async fn settle_down(world: &World) {
    let node = world.node().await;
    for _ in 0..50 {
        node.backlog(&world.tenant).await.unwrap();
    }
}

async fn soon<T>(task: JoinHandle<T>) -> T {
    tokio::time::timeout(SOON, task).await.expect("the receiver is woken").unwrap()
}

async fn a_submission_wakes_a_receiver_on_another_node(world: World) {
    let (one, two) = (world.node().await, world.node().await);
    for _ in 0..10 {
        let waiting = receive(&one, 5);
        settle_down(&world).await;
        two.submit(&[world.request()]).await.unwrap();
        let taken = soon(waiting).await;
        assert_eq!(taken.len(), 1);
        two.settle(&taken.into_iter().map(|delivery| delivery.done(Duration::ZERO)).collect::<Vec<_>>()).await.unwrap();
    }
}

async fn a_burst_wakes_as_many_receivers_as_it_can_feed(world: World) {
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let node = world.node().await;
        waiting.push(receive(&node, 1));
        waiting.push(receive(&node, 1));
    }
    world.node().await.submit(&world.requests_of(&world.tenant, 8)).await.unwrap();
    for one in waiting {
        assert_eq!(soon(one).await.len(), 1);
    }
}

async fn a_delayed_request_comes_at_its_time_and_not_before(world: World) {
    let node = world.node().await;
    let mut submission = world.request();
    submission.delay = Duration::from_millis(100);
    let submitted = Instant::now();
    node.submit(&[submission]).await.unwrap();
    let delivery = take_one(&*node).await;
    assert!(submitted.elapsed() >= Duration::from_millis(100));
    assert!(delivery.queued < submitted.elapsed(), "only the time after it was due counts: {:?}", delivery.queued);
}

/// A delay is no lease that runs out.
async fn a_delay_longer_than_a_lease_hands_out_once(world: World) {
    let node = world.node_with_lease(Duration::from_millis(100)).await;
    let mut submission = world.request();
    submission.delay = Duration::from_millis(500);
    let submitted = Instant::now();
    node.submit(&[submission]).await.unwrap();
    let delivery = take_one(&*node).await;
    assert!(submitted.elapsed() >= Duration::from_millis(500), "{:?}", submitted.elapsed());
    assert_eq!(delivery.lease.fence, 1);
    node.settle(&[delivery.done(Duration::ZERO)]).await.unwrap();
    assert_eq!(delivered(&node.receive(&Wanted::any(1), Duration::from_millis(300)).await.unwrap()), []);
}

async fn a_delayed_request_wakes_a_receiver_that_waits_for_a_later_one(world: World) {
    let node = world.node().await;
    let (mut later, mut sooner) = (world.request(), world.request());
    (later.delay, sooner.delay) = (Duration::from_secs(60), Duration::from_millis(50));
    node.submit(&[later]).await.unwrap();
    let waiting = receive(&node, 1);
    settle_down(&world).await;
    let id = sooner.request.id;
    world.node().await.submit(&[sooner]).await.unwrap();
    assert_eq!(delivered(&soon(waiting).await), [id]);
}

async fn what_is_given_back_wakes_another_node(world: World) {
    let (one, two) = (world.node().await, world.node().await);
    one.submit(&[world.request()]).await.unwrap();
    let held = take_one(&*one).await;
    let waiting = receive(&two, 1);
    settle_down(&world).await;
    one.settle(&[held.give_back(Duration::ZERO)]).await.unwrap();
    assert_eq!(soon(waiting).await.len(), 1);
}

async fn a_place_that_is_free_again_wakes_another_node(world: World) {
    let (one, two) =
        (world.node_with(|settings| settings.share.in_flight = 1).await, world.node_with(|settings| settings.share.in_flight = 1).await);
    one.submit(&world.requests_of(&world.tenant, 2)).await.unwrap();
    let held = take_one(&*one).await;
    let waiting = receive(&two, 1);
    settle_down(&world).await;
    one.settle(&[held.done(Duration::ZERO)]).await.unwrap();
    assert_eq!(soon(waiting).await.len(), 1);
}

async fn a_receiver_that_finds_nothing_returns_at_the_end_of_its_wait(world: World) {
    let node = world.node().await;
    let begun = Instant::now();
    assert_eq!(delivered(&node.receive(&Wanted::any(3), Duration::from_millis(80)).await.unwrap()), []);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(80) && waited < SOON, "{waited:?}");
}

async fn a_wait_that_was_dropped_takes_nothing_with_it(world: World) {
    let node = world.node().await;
    let waiting = receive(&node, 1);
    settle_down(&world).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    node.submit(&world.requests_of(&world.tenant, 2)).await.unwrap();
    assert_eq!([take_one(&*node).await.lease.fence, take_one(&*node).await.lease.fence], [1, 1]);
}
