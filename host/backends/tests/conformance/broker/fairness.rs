//! Each tenant gets its share of the nodes' time, by the cost charged.

use std::collections::BTreeMap;
use std::time::Duration;

use mogbox_backends::broker::Share;
use mogbox_core::Shares;
use mogbox_core::broker::{Broker, Wanted};
use mogbox_core::ids::Tenant;

use super::world::{World, take, take_one};
use crate::harness::{fresh_tenant, on_both};

on_both! { World;
    a_tenant_with_ten_requests_gets_its_turn_beside_one_with_a_thousand
    shares_follow_the_weights
    shares_of_two_thousand_tenants_follow_the_weights
    a_weight_that_changes_holds_from_then_on
    a_tenant_without_a_place_waits_until_it_has_one
    no_more_of_one_tenant_is_handed_out_than_is_wanted_of_each
    requests_of_tenants_that_are_not_wanted_stay_for_others
    a_node_that_wants_nothing_of_one_tenant_is_woken_for_another
    shares_follow_the_cost_charged
    a_tenant_that_was_idle_gains_no_credit
    a_tenant_that_waits_for_a_delay_gains_no_credit
    a_tenant_that_comes_and_goes_does_not_shed_its_cost
}

const COST: Duration = Duration::from_millis(5);

/// Hands out and settles this many, seven at a time; how many each tenant got.
async fn serve(node: &dyn Broker, number: usize, cost: impl Fn(&Tenant) -> Duration) -> BTreeMap<Tenant, usize> {
    let mut served = BTreeMap::new();
    let mut left = number;
    while left > 0 {
        let taken = take(node, left.min(7)).await;
        assert!(!taken.is_empty(), "the queue ran dry");
        left -= taken.len();
        let mut settlements = Vec::new();
        for delivery in taken {
            *served.entry(delivery.lease.tenant.clone()).or_default() += 1;
            let cost = cost(&delivery.lease.tenant);
            settlements.push(delivery.done(cost));
        }
        node.settle(&settlements).await.unwrap();
    }
    served
}

fn close(got: usize, expected: usize) -> bool {
    got.abs_diff(expected) <= 2 + expected / 10
}

async fn a_tenant_with_ten_requests_gets_its_turn_beside_one_with_a_thousand(world: World) {
    let node = world.node().await;
    let (large, small) = (fresh_tenant(), fresh_tenant());
    node.submit(&world.requests_of(&large, 1_000)).await.unwrap();
    serve(&*node, 50, |_| COST).await;
    node.submit(&world.requests_of(&small, 10)).await.unwrap();
    let served = serve(&*node, 28, |_| COST).await;
    assert_eq!(served.get(&small), Some(&10), "{served:?}");
}

async fn shares_follow_the_weights(world: World) {
    let tenants = [fresh_tenant(), fresh_tenant(), fresh_tenant()];
    let weights = tenants.iter().cloned().zip([1, 2, 4].map(|weight| Share { weight, ..Share::default() }));
    let node = world.node_with(|settings| settings.tenants = weights.collect()).await;
    for tenant in &tenants {
        node.submit(&world.requests_of(tenant, 200)).await.unwrap();
    }
    let served = serve(&*node, 280, |_| COST).await;
    let shares = tenants.each_ref().map(|tenant| served[tenant]);
    assert!(close(shares[0], 40) && close(shares[1], 80) && close(shares[2], 160), "{shares:?}");
}

async fn shares_of_two_thousand_tenants_follow_the_weights(world: World) {
    let tenants: Vec<Tenant> = (0..2_000).map(|_| fresh_tenant()).collect();
    let weight = |place: usize| [1, 2, 4][place % 3];
    let shares = tenants.iter().enumerate().map(|(place, tenant)| (tenant.clone(), Share { weight: weight(place), ..Share::default() }));
    let node = world.node_with(|settings| settings.tenants = shares.collect()).await;
    let queued: Vec<_> = tenants.iter().flat_map(|tenant| world.requests_of(tenant, 12)).collect();
    node.submit(&queued).await.unwrap();
    // Two requests of each of weight 1, four and eight of the others.
    let served = serve(&*node, 9_332, |_| COST).await;
    let of_weight = |wanted: u32| {
        let those = tenants.iter().enumerate().filter(|(place, _)| weight(*place) == wanted);
        those.map(|(_, tenant)| served.get(tenant).copied().unwrap_or(0)).sum::<usize>()
    };
    let sums = [1, 2, 4].map(of_weight);
    let expected = [1_334, 2_666, 5_332];
    assert!(sums.iter().zip(expected).all(|(sum, expected)| sum.abs_diff(expected) * 20 <= expected), "{sums:?}");
}

async fn a_weight_that_changes_holds_from_then_on(world: World) {
    let (one, other) = (fresh_tenant(), fresh_tenant());
    let shares = Shares::default();
    let node = world.node_with(|settings| settings.tenants = shares.clone()).await;
    for tenant in [&one, &other] {
        node.submit(&world.requests_of(tenant, 300)).await.unwrap();
    }
    let before = serve(&*node, 100, |_| COST).await;
    assert!(close(before[&one], 50), "{before:?}");
    shares.set(&one, Some(Share { weight: 4, ..Share::default() }));
    node.reshare(&one).await.unwrap();
    let after = serve(&*node, 200, |_| COST).await;
    assert!(close(after[&one], 160), "{after:?}");
}

async fn a_tenant_without_a_place_waits_until_it_has_one(world: World) {
    let shares = Shares::default();
    let node = world.node_with(|settings| settings.tenants = shares.clone()).await;
    shares.set(&world.tenant, Some(Share { in_flight: 0, ..Share::default() }));
    node.submit(&[world.request()]).await.unwrap();
    assert!(node.receive(&Wanted::any(1), Duration::ZERO).await.unwrap().is_empty());
    let other = world.node().await;
    let waiting = tokio::spawn(async move { take_one(&*other).await });
    shares.set(&world.tenant, None);
    node.reshare(&world.tenant).await.unwrap();
    assert_eq!(waiting.await.unwrap().lease.tenant, world.tenant);
}

async fn no_more_of_one_tenant_is_handed_out_than_is_wanted_of_each(world: World) {
    let node = world.node().await;
    let (many, few) = (fresh_tenant(), fresh_tenant());
    node.submit(&world.requests_of(&many, 50)).await.unwrap();
    node.submit(&world.requests_of(&few, 2)).await.unwrap();
    let wanted = Wanted { most: 20, of_each: 10, not_of: Vec::new() };
    let taken = node.receive(&wanted, Duration::ZERO).await.unwrap();
    let of_many = taken.iter().filter(|one| one.lease.tenant == many).count();
    assert_eq!((of_many, taken.len()), (10, 12));
    // Its place in the line is as before.
    assert_eq!(take(&*node, 40).await.len(), 40);
}

async fn requests_of_tenants_that_are_not_wanted_stay_for_others(world: World) {
    let node = world.node().await;
    let tenants: Vec<Tenant> = (0..4).map(|_| fresh_tenant()).collect();
    for tenant in &tenants {
        node.submit(&world.requests_of(tenant, 5)).await.unwrap();
    }
    let wanted = Wanted { not_of: tenants[..3].to_vec(), ..Wanted::any(20) };
    let taken = node.exchange(&[], &wanted).await.unwrap();
    assert!(taken.len() == 5 && taken.iter().all(|one| one.lease.tenant == tenants[3]), "{}", taken.len());
    assert!(node.receive(&wanted, Duration::from_millis(20)).await.unwrap().is_empty());
    assert_eq!(take(&*node, 20).await.len(), 15);
}

async fn a_node_that_wants_nothing_of_one_tenant_is_woken_for_another(world: World) {
    let node = world.node().await;
    let (unwanted, other) = (fresh_tenant(), fresh_tenant());
    node.submit(&world.requests_of(&unwanted, 5)).await.unwrap();
    let wanted = Wanted { not_of: vec![unwanted.clone()], ..Wanted::any(9) };
    let receiving = std::sync::Arc::clone(&node);
    let receiving = tokio::spawn(async move { receiving.receive(&wanted, Duration::from_secs(60)).await.unwrap() });
    node.submit(&world.requests_of(&other, 1)).await.unwrap();
    let taken = receiving.await.unwrap();
    assert!(taken.len() == 1 && taken[0].lease.tenant == other);
    // Whoever takes anybody's is woken all the same.
    assert_eq!(take_one(&*node).await.lease.tenant, unwanted);
}

async fn shares_follow_the_cost_charged(world: World) {
    let node = world.node().await;
    let (dear, cheap) = (fresh_tenant(), fresh_tenant());
    for tenant in [&dear, &cheap] {
        node.submit(&world.requests_of(tenant, 300)).await.unwrap();
    }
    let served = serve(&*node, 280, |tenant| if *tenant == dear { 3 * COST } else { COST }).await;
    assert!(close(served[&dear], 70) && close(served[&cheap], 210), "{served:?}");
}

async fn a_tenant_that_was_idle_gains_no_credit(world: World) {
    let node = world.node().await;
    let (busy, idle) = (fresh_tenant(), fresh_tenant());
    node.submit(&world.requests_of(&busy, 200)).await.unwrap();
    node.submit(&world.requests_of(&idle, 1)).await.unwrap();
    serve(&*node, 101, |_| COST).await;
    node.submit(&world.requests_of(&idle, 100)).await.unwrap();
    let served = serve(&*node, 56, |_| COST).await;
    assert!(close(served[&busy], 28) && close(served[&idle], 28), "{served:?}");
}

async fn a_tenant_that_waits_for_a_delay_gains_no_credit(world: World) {
    let node = world.node().await;
    let (busy, waiting) = (fresh_tenant(), fresh_tenant());
    node.submit(&world.requests_of(&busy, 200)).await.unwrap();
    let mut delayed = world.requests_of(&waiting, 1);
    delayed[0].delay = Duration::from_secs(60);
    node.submit(&delayed).await.unwrap();
    serve(&*node, 100, |_| COST).await;
    node.submit(&world.requests_of(&waiting, 100)).await.unwrap();
    let served = serve(&*node, 56, |_| COST).await;
    assert!(close(served[&busy], 28) && close(served[&waiting], 28), "{served:?}");
}

async fn a_tenant_that_comes_and_goes_does_not_shed_its_cost(world: World) {
    let node = world.node().await;
    let (steady, fleeting) = (fresh_tenant(), fresh_tenant());
    node.submit(&world.requests_of(&steady, 400)).await.unwrap();
    let mut served = 0;
    for _ in 0..40 {
        // One request at a time, each ten times as dear as the other tenant's.
        node.submit(&world.requests_of(&fleeting, 1)).await.unwrap();
        let round = serve(&*node, 5, |tenant| if *tenant == fleeting { 10 * COST } else { COST }).await;
        served += round.get(&fleeting).copied().unwrap_or(0);
    }
    assert!(close(served, 18), "{served} of 200");
}
