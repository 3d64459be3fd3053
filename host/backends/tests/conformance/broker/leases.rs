//! Leases: what is not settled in time is handed out again, and whoever was late changes nothing.

use std::time::Duration;

use mogbox_core::broker::{Backlog, Lease, Settlement, Verdict, Wanted};

use super::world::{World, delivered, take, take_one};
use crate::harness::on_both;

on_both! { World;
    a_lease_that_runs_out_is_handed_out_again_with_a_higher_fence
    what_comes_back_keeps_its_place_in_the_queue
    an_extended_lease_is_not_handed_out_again
    extending_tells_which_leases_are_lost
    a_late_settlement_leaves_the_request_to_its_new_holder
    more_than_a_hundred_expired_leases_are_taken_back_in_lots
}

const SHORT: Duration = Duration::from_millis(100);

async fn a_lease_that_runs_out_is_handed_out_again_with_a_higher_fence(world: World) {
    let node = world.node_with_lease(SHORT).await;
    node.submit(&[world.request()]).await.unwrap();
    for round in 0..3 {
        let delivery = take_one(&*node).await;
        assert_eq!((delivery.lease.fence, delivery.expiries), (round + 1, round));
    }
}

async fn what_comes_back_keeps_its_place_in_the_queue(world: World) {
    let node = world.node().await;
    node.submit(&world.requests_of(&world.tenant, 3)).await.unwrap();
    node.submit(&[world.request_with_priority(9)]).await.unwrap();
    let first = delivered(&take(&*node, 4).await);
    world.pass_time().await;
    assert_eq!(delivered(&take(&*node, 4).await), first);
}

async fn an_extended_lease_is_not_handed_out_again(world: World) {
    let hasty = world.node_with_lease(SHORT).await;
    let patient = world.node_with_lease(Duration::from_secs(60)).await;
    hasty.submit(&[world.request()]).await.unwrap();
    let held = take_one(&*hasty).await;
    assert_eq!(patient.extend(std::slice::from_ref(&held.lease)).await.unwrap(), []);
    assert_eq!(delivered(&hasty.receive(&Wanted::any(1), 3 * SHORT).await.unwrap()), []);
    hasty.settle(&[held.done(SHORT)]).await.unwrap();
    assert_eq!(hasty.backlog(&world.tenant).await.unwrap(), Default::default());
}

async fn extending_tells_which_leases_are_lost(world: World) {
    let node = world.node().await;
    node.submit(&world.requests_of(&world.tenant, 256)).await.unwrap();
    let mut held = take(&*node, 128).await;
    held.extend(take(&*node, 128).await);
    let settled = held.remove(7);
    let lost = settled.lease.clone();
    node.settle(&[settled.done(Duration::ZERO)]).await.unwrap();
    let mut leases: Vec<_> = held.iter().map(|delivery| delivery.lease.clone()).collect();
    world.pass_time().await;
    assert_eq!(node.extend(&leases).await.unwrap(), [], "a lease that ran out but was not handed out again is still held");
    assert_eq!(delivered(&take(&*node, 1).await), [], "they were renewed");
    let wrong = Lease { fence: 2, ..leases[3].clone() };
    leases.insert(200, lost.clone());
    leases.insert(100, wrong.clone());
    assert_eq!(node.extend(&leases).await.unwrap(), [wrong, lost]);
}

async fn a_late_settlement_leaves_the_request_to_its_new_holder(world: World) {
    let node = world.node().await;
    node.submit(&[world.request()]).await.unwrap();
    let late = take_one(&*node).await.lease;
    let verdicts = [Verdict::Done, Verdict::GiveBack, Verdict::RetryAfter(Duration::ZERO), Verdict::Reject("late".to_owned())];
    for verdict in verdicts {
        world.pass_time().await;
        let holder = take_one(&*node).await;
        node.settle(&[Settlement { lease: late.clone(), request: None, verdict, cost: Duration::ZERO }]).await.unwrap();
        assert_eq!(node.extend(std::slice::from_ref(&holder.lease)).await.unwrap(), []);
        assert_eq!(node.backlog(&world.tenant).await.unwrap(), Backlog { leased: 1, ..Backlog::default() });
    }
}

async fn more_than_a_hundred_expired_leases_are_taken_back_in_lots(world: World) {
    let node = world.node().await;
    node.submit(&world.requests_of(&world.tenant, 250)).await.unwrap();
    assert_eq!(take(&*node, 128).await.len() + take(&*node, 128).await.len(), 250);
    world.pass_time().await;
    let again = take(&*node, 1).await;
    let backlog = node.backlog(&world.tenant).await.unwrap();
    assert_eq!((again.len(), backlog.ready, backlog.leased), (1, 99, 151));
    assert_eq!([take(&*node, 128).await.len(), take(&*node, 128).await.len()], [128, 121]);
}
