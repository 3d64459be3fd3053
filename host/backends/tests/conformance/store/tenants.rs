//! Records of tenants: changed by who knows their revision, and read as they change.

use std::sync::Arc;

use jiff::Timestamp;
use mogbox_core::tenants::{MOST_CHANGES, TenantSnapshot};
use mogbox_core::{Limits, Share, Shares, Tenant, TenantRecord, Tenants, Terms};

use super::world::World;
use crate::harness::{fresh_tenant, on_both};

on_both! { World;
    a_record_is_replaced_only_by_who_knows_its_revision
    what_was_changed_is_read_in_its_order_and_once
    a_node_knows_more_tenants_than_one_answer_holds
    a_node_learns_of_changes_and_removals
}

fn record(weight: u32) -> TenantRecord {
    TenantRecord { weight: Some(weight), ..TenantRecord::new(Timestamp::UNIX_EPOCH) }
}

/// The last revision of any record: tests share a server.
async fn last(world: &World) -> u64 {
    let marker = fresh_tenant();
    assert!(world.tenants.replace(&marker, 0, Some(&record(1))).await.unwrap());
    world.tenants.read(&marker).await.unwrap().revision
}

async fn a_record_is_replaced_only_by_who_knows_its_revision(world: World) {
    let (tenants, tenant) = (&world.tenants, &world.tenant);
    assert_eq!(tenants.read(tenant).await.unwrap(), TenantSnapshot { revision: 0, record: None });
    assert!(!tenants.replace(tenant, 7, Some(&record(1))).await.unwrap());
    assert!(tenants.replace(tenant, 0, Some(&record(1))).await.unwrap());
    assert!(!tenants.replace(tenant, 0, Some(&record(2))).await.unwrap());
    let first = tenants.read(tenant).await.unwrap();
    assert_eq!(first.record, Some(record(1)));
    let writers = (0..8).map(|weight| {
        let (tenants, tenant, revision) = (Arc::clone(tenants), tenant.clone(), first.revision);
        tokio::spawn(async move { tenants.replace(&tenant, revision, Some(&record(weight + 1))).await.unwrap() })
    });
    let won = futures::future::join_all(writers).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let revision = tenants.read(tenant).await.unwrap().revision;
    assert!(revision > first.revision);
    assert!(tenants.replace(tenant, revision, None).await.unwrap());
    let gone = tenants.read(tenant).await.unwrap();
    assert!(gone.record.is_none() && gone.revision > revision, "{gone:?}");
}

async fn what_was_changed_is_read_in_its_order_and_once(world: World) {
    let since = last(&world).await;
    let (one, other) = (fresh_tenant(), fresh_tenant());
    for (tenant, weight) in [(&one, 1), (&other, 2), (&one, 3)] {
        let revision = world.tenants.read(tenant).await.unwrap().revision;
        assert!(world.tenants.replace(tenant, revision, Some(&record(weight))).await.unwrap());
    }
    let changes = world.tenants.changes(since).await.unwrap();
    let ours: Vec<_> = changes.iter().filter(|(tenant, _)| [&one, &other].contains(&tenant)).collect();
    let read: Vec<_> = ours.iter().map(|(tenant, snapshot)| (tenant, snapshot.record.clone().unwrap().weight)).collect();
    assert_eq!(read, [(&other, Some(2)), (&one, Some(3))]);
    assert!(changes.windows(2).all(|pair| pair[0].1.revision < pair[1].1.revision));
}

async fn a_node_knows_more_tenants_than_one_answer_holds(world: World) {
    let tenants: Vec<Tenant> = (0..=MOST_CHANGES).map(|_| fresh_tenant()).collect();
    for tenant in &tenants {
        assert!(world.tenants.replace(tenant, 0, Some(&record(9))).await.unwrap());
    }
    let node = Tenants::new(Arc::clone(&world.tenants), Terms::ordinary(Limits::default(), Arc::default()), Shares::default(), None);
    let shifted = node.refresh().await.unwrap();
    assert!(tenants.iter().all(|tenant| shifted.contains(tenant) && node.terms(tenant).share().weight == 9));
    let again = node.refresh().await.unwrap();
    assert!(!again.contains(&tenants[0]));
}

async fn a_node_learns_of_changes_and_removals(world: World) {
    let (shares, tenant) = (Shares::default(), &world.tenant);
    let protected = Arc::new(["user_id".to_owned()].into());
    let node = Tenants::new(Arc::clone(&world.tenants), Terms::ordinary(Limits::default(), protected), shares.clone(), None);
    node.refresh().await.unwrap();
    assert!(node.terms(tenant).protects("user_id"));
    let suspended = TenantRecord { suspended: true, trusted: true, ..record(1) };
    assert!(world.tenants.replace(tenant, 0, Some(&suspended)).await.unwrap());
    assert!(node.refresh().await.unwrap().contains(tenant));
    assert!(node.terms(tenant).suspended && !node.terms(tenant).protects("user_id"));
    assert_eq!(shares.of(tenant), Some(Share { in_flight: 0, weight: 1 }));
    let revision = world.tenants.read(tenant).await.unwrap().revision;
    assert!(world.tenants.replace(tenant, revision, None).await.unwrap());
    assert!(node.refresh().await.unwrap().contains(tenant));
    assert!(!node.terms(tenant).suspended && shares.of(tenant).is_none());
}
