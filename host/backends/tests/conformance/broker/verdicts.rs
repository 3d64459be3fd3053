//! What each verdict makes of a delivery.

use std::time::{Duration, Instant};

use mogbox_core::broker::{Backlog, Wanted};

use super::world::{LONG, SOON, World, delivered, ids, take, take_one};
use crate::harness::on_both;

on_both! { World;
    what_is_done_is_forgotten
    a_retry_comes_back_after_its_wait_and_not_before
    a_retry_without_wait_goes_to_the_end_of_its_priority
    what_is_given_back_comes_first_of_its_priority_without_an_expiry
    what_is_rejected_is_a_dead_letter
    many_are_settled_in_one_call
    a_tenant_at_its_cap_gets_no_more_until_one_is_settled
    a_cap_of_one_tenant_does_not_hold_up_another
    a_request_that_only_waits_does_not_count_against_the_cap
}

const FREE: Duration = Duration::ZERO;

async fn what_is_done_is_forgotten(world: World) {
    let node = world.node().await;
    node.submit(&[world.request()]).await.unwrap();
    node.settle(&[take_one(&*node).await.done(FREE)]).await.unwrap();
    assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog::default());
    assert_eq!(delivered(&take(&*node, 1).await), []);
}

async fn a_retry_comes_back_after_its_wait_and_not_before(world: World) {
    let node = world.node().await;
    node.submit(&[world.request()]).await.unwrap();
    let first = take_one(&*node).await;
    let (id, settled) = (first.lease.id, Instant::now());
    node.settle(&[first.retry_after(Duration::from_millis(100), FREE)]).await.unwrap();
    assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog { delayed: 1, ..Backlog::default() });
    let second = take_one(&*node).await;
    assert!(settled.elapsed() >= Duration::from_millis(100));
    assert_eq!((second.lease.id, second.lease.fence, second.expiries), (id, 2, 0));
}

async fn a_retry_without_wait_goes_to_the_end_of_its_priority(world: World) {
    let node = world.node().await;
    let submissions = world.requests_of(&world.tenant, 3);
    node.submit(&submissions).await.unwrap();
    node.settle(&[take_one(&*node).await.retry_after(FREE, FREE)]).await.unwrap();
    let [first, second, third] = ids(&submissions)[..] else { panic!() };
    assert_eq!(delivered(&take(&*node, 9).await), [second, third, first]);
}

async fn what_is_given_back_comes_first_of_its_priority_without_an_expiry(world: World) {
    let node = world.node().await;
    let submissions = world.requests_of(&world.tenant, 3);
    node.submit(&submissions).await.unwrap();
    node.settle(&[take_one(&*node).await.give_back(FREE)]).await.unwrap();
    let again = take(&*node, 9).await;
    assert_eq!(delivered(&again), ids(&submissions));
    assert_eq!((again[0].lease.fence, again[0].expiries), (2, 0));
}

async fn what_is_rejected_is_a_dead_letter(world: World) {
    let node = world.node().await;
    let submission = world.request();
    node.submit(std::slice::from_ref(&submission)).await.unwrap();
    node.settle(&[take_one(&*node).await.reject("nobody can run it".to_owned(), FREE)]).await.unwrap();
    let letters = node.dead_letters(&world.tenant, 9).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].reason.as_str(), &letters[0].queue), ("nobody can run it", &world.queue));
    assert!(letters[0].body.contains(&submission.request.id.to_string()), "{}", letters[0].body);
    assert!(letters[0].at.duration_until(jiff::Timestamp::now()).as_secs().abs() < 60);
    assert_eq!(delivered(&take(&*node, 1).await), []);
}

async fn many_are_settled_in_one_call(world: World) {
    let node = world.node().await;
    node.submit(&world.requests_of(&world.tenant, 400)).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.extend(take(&*node, 100).await);
    }
    assert_eq!(held.len(), 400);
    let settlements: Vec<_> = held.into_iter().map(|delivery| delivery.done(FREE)).collect();
    node.settle(&settlements).await.unwrap();
    assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog::default());
}

async fn a_tenant_at_its_cap_gets_no_more_until_one_is_settled(world: World) {
    let node = world.node_with(|settings| settings.share.in_flight = 3).await;
    node.submit(&world.requests_of(&world.tenant, 5)).await.unwrap();
    let mut held = take(&*node, 9).await;
    assert_eq!(held.len(), 3);
    assert_eq!(delivered(&take(&*node, 9).await), []);
    let waiting = tokio::spawn({
        let node = node.clone();
        async move { node.receive(&Wanted::any(9), LONG).await.unwrap() }
    });
    tokio::task::yield_now().await;
    node.settle(&[held.remove(0).done(FREE)]).await.unwrap();
    let more = tokio::time::timeout(SOON, waiting).await.expect("the receiver is woken").unwrap();
    assert_eq!(more.len(), 1);
}

async fn a_cap_of_one_tenant_does_not_hold_up_another(world: World) {
    let (small, large) = (crate::harness::fresh_tenant(), crate::harness::fresh_tenant());
    let share = mogbox_backends::broker::Share { in_flight: 1, weight: 100 };
    let node = world.node_with(|settings| settings.tenants = [(small.clone(), share)].into_iter().collect()).await;
    node.submit(&world.requests_of(&small, 50)).await.unwrap();
    node.submit(&world.requests_of(&large, 50)).await.unwrap();
    let held = take(&*node, 100).await;
    let of_small = held.iter().filter(|delivery| delivery.lease.tenant == small).count();
    assert_eq!((held.len(), of_small), (51, 1));
}

async fn a_request_that_only_waits_does_not_count_against_the_cap(world: World) {
    let node = world.node_with(|settings| settings.share.in_flight = 1).await;
    node.submit(&world.requests_of(&world.tenant, 3)).await.unwrap();
    let parent = take_one(&*node).await;
    assert_eq!(delivered(&take(&*node, 9).await), []);
    let woken = tokio::spawn({
        let node = node.clone();
        async move { node.receive(&Wanted::any(9), LONG).await.unwrap() }
    });
    tokio::task::yield_now().await;
    node.set_waiting(&parent.lease, true).await.unwrap();
    let child = tokio::time::timeout(SOON, woken).await.expect("the receiver is woken").unwrap().remove(0);
    assert_eq!(node.extend(&[parent.lease.clone(), child.lease.clone()]).await.unwrap(), []);
    assert_eq!(delivered(&take(&*node, 9).await), []);
    // Back at work, it counts again: the end of the child makes no room.
    node.set_waiting(&parent.lease, false).await.unwrap();
    node.settle(&[child.done(FREE)]).await.unwrap();
    assert_eq!(delivered(&take(&*node, 9).await), []);
    node.set_waiting(&parent.lease, true).await.unwrap();
    node.settle(&[parent.done(FREE)]).await.unwrap();
    node.settle(&[take_one(&*node).await.done(FREE)]).await.unwrap();
    assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog::default());
}
