//! Nothing is kept of work that is over.

use std::time::Duration;

use super::world::{World, take};
use crate::harness::{fresh_tenant, on_both};

on_both! { World;
    nothing_but_dead_letters_is_kept_when_all_work_is_settled
    a_tenant_that_is_done_leaves_nothing_while_another_goes_on
}

async fn nothing_but_dead_letters_is_kept_when_all_work_is_settled(world: World) {
    let node = world.node_with(|settings| settings.share.in_flight = 5).await;
    let tenants = [fresh_tenant(), fresh_tenant(), world.tenant.clone()];
    for tenant in &tenants {
        let mut submissions = world.requests_of(tenant, 20);
        submissions[0].delay = Duration::from_secs(60);
        node.submit(&submissions).await.unwrap();
    }
    world.submit_raw(&*node, b"malformed").await;
    let mut round = 0;
    while !world.kept().await.is_empty() {
        round += 1;
        assert!(round < 200, "still kept: {:?}", world.kept().await);
        if round % 3 == 0 {
            world.pass_time().await;
        }
        let cost = Duration::from_micros(round * 997 % 5_000);
        let settlements = take(&*node, 4).await.into_iter().enumerate().map(|(number, delivery)| match (round + number as u64) % 7 {
            0 => delivery.give_back(cost),
            1 => delivery.retry_after(Duration::from_secs(60), cost),
            2 => delivery.retry_after(Duration::ZERO, cost),
            3 => delivery.reject("no".to_owned(), cost),
            _ => delivery.done(cost),
        });
        node.settle(&settlements.collect::<Vec<_>>()).await.unwrap();
    }
    let mut dead = 0;
    for tenant in &tenants {
        let backlog = node.backlog(tenant).await.unwrap();
        assert_eq!((backlog.ready, backlog.delayed, backlog.leased), (0, 0, 0));
        dead += backlog.dead;
    }
    assert!(dead > 0, "the malformed message at least");
}

async fn a_tenant_that_is_done_leaves_nothing_while_another_goes_on(world: World) {
    let node = world.node().await;
    node.submit(&world.requests_of(&world.tenant, 400)).await.unwrap();
    let fleeting: Vec<_> = (0..150).map(|_| fresh_tenant()).collect();
    for tenant in &fleeting {
        node.submit(&world.requests_of(tenant, 1)).await.unwrap();
    }
    for _ in 0..50 {
        let settlements = take(&*node, 10).await.into_iter().map(|delivery| delivery.done(Duration::from_millis(2)));
        node.settle(&settlements.collect::<Vec<_>>()).await.unwrap();
    }
    assert_eq!(node.backlog(&world.tenant).await.unwrap().ready, 50);
    let kept = world.kept().await.join(" ");
    assert!(fleeting.iter().all(|tenant| !kept.contains(tenant.as_str())), "{kept}");
    assert!(!kept.contains("spent") && !kept.contains("broker_tenants: 151"), "{kept}");
}
