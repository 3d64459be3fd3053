//! Queues that are emptied.

use std::collections::HashSet;
use std::time::Duration;

use mogbox_core::broker::{Backlog, Broker};
use mogbox_core::ids::RequestId;

use super::world::{World, delivered, ids, take, take_one};
use crate::harness::{fresh_tenant, on_both};

on_both! { World;
    what_lies_ready_or_held_back_is_removed_and_what_is_handed_out_stays
    a_purge_removes_no_more_than_it_is_told_to_and_the_first_in_line_first
    nothing_of_other_tenants_or_queues_is_removed
    a_queue_that_was_emptied_takes_requests_as_before_and_leaves_nothing_behind
}

async fn purge(world: &World, node: &dyn Broker, most: usize) -> Vec<RequestId> {
    node.purge(&world.tenant, &world.queue, most).await.unwrap()
}

async fn what_lies_ready_or_held_back_is_removed_and_what_is_handed_out_stays(world: World) {
    let node = world.node().await;
    node.submit(&[world.request()]).await.unwrap();
    let held = take_one(&*node).await;
    let mut waiting = world.requests_of(&world.tenant, 3);
    waiting[1].delay = Duration::from_secs(3_600);
    node.submit(&waiting).await.unwrap();
    let removed: HashSet<_> = purge(&world, &*node, 100).await.into_iter().collect();
    assert_eq!(removed, ids(&waiting).into_iter().collect());
    assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog { leased: 1, ..Backlog::default() });
    assert_eq!(node.extend(std::slice::from_ref(&held.lease)).await.unwrap(), []);
    node.settle(&[held.done(Duration::ZERO)]).await.unwrap();
    assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog::default());
}

async fn a_purge_removes_no_more_than_it_is_told_to_and_the_first_in_line_first(world: World) {
    let node = world.node().await;
    let submissions = [3, 9, 5].map(|priority| world.request_with_priority(priority));
    node.submit(&submissions).await.unwrap();
    let [low, high, middle] = ids(&submissions)[..] else { panic!() };
    assert_eq!(purge(&world, &*node, 1).await, [high]);
    assert_eq!(delivered(&take(&*node, 9).await), [middle, low]);
}

async fn nothing_of_other_tenants_or_queues_is_removed(world: World) {
    let (node, other, elsewhere) = (world.node().await, fresh_tenant(), world.afresh());
    node.submit(&world.requests_of(&other, 2)).await.unwrap();
    node.submit(&[elsewhere.request_of(&world.tenant)]).await.unwrap();
    assert_eq!(purge(&world, &*node, 100).await, []);
    assert_eq!(take(&*node, 9).await.len(), 2);
    assert_eq!(take(&*elsewhere.node().await, 9).await.len(), 1);
}

async fn a_queue_that_was_emptied_takes_requests_as_before_and_leaves_nothing_behind(world: World) {
    let node = world.node().await;
    for _ in 0..2 {
        node.submit(&world.requests_of(&world.tenant, 130)).await.unwrap();
        assert_eq!((purge(&world, &*node, 1_000).await.len(), purge(&world, &*node, 1_000).await.len()), (128, 2));
        assert_eq!(delivered(&take(&*node, 1).await), []);
    }
    assert_eq!(world.kept().await, Vec::<String>::new());
    node.submit(&[world.request()]).await.unwrap();
    node.settle(&[take_one(&*node).await.done(Duration::ZERO)]).await.unwrap();
}
