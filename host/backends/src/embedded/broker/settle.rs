//! Settles deliveries and renews leases. Twin of parts of `exchange.lua`, `extend.lua` and `wait.lua`.

use std::collections::BTreeMap;

use mogbox_core::broker::{BrokerError, Lease, Settlement, Verdict};
use mogbox_core::ids::QueueName;

use super::shard::Shard;
use super::{EmbeddedBroker, dead};
use crate::broker::{BATCH, ESTIMATED_COST, LEAST_COST, Share, micros};
use crate::error::BackendError;

/// Settlements by queue, each with what its tenant may use.
pub(super) type Prepared = BTreeMap<QueueName, Vec<(Settlement, Share)>>;

/// What a call needs to know of settlements.
pub(super) fn prepare(broker: &EmbeddedBroker, settlements: &[Settlement]) -> Prepared {
    let groups = by_queue(settlements, |one| &one.lease.queue).into_iter();
    let with_share = |one: Settlement| {
        let share = broker.settings.share_of(&one.lease.tenant);
        (one, share)
    };
    groups.map(|(queue, group)| (queue, group.into_iter().map(with_share).collect())).collect()
}

/// Returns the leases that are lost.
pub(super) async fn extend(broker: &EmbeddedBroker, leases: &[Lease]) -> Result<Vec<Lease>, BrokerError> {
    let (length, mut lost) = (whole(micros(broker.settings.lease)), Vec::new());
    for (queue, group) in by_queue(leases, |lease| &lease.queue) {
        for chunk in group.chunks(BATCH) {
            let (chunk, queue, topics) = (chunk.to_vec(), queue.clone(), broker.database.broker_topics().clone());
            let work = move |connection: &_| extend_many(&Shard::new(connection, &queue, &topics), chunk, length);
            lost.extend(broker.database.call(work).await?);
        }
    }
    Ok(lost)
}

/// Notes whether a request only waits. Twin of `wait.lua`.
pub(super) async fn set_waiting(broker: &EmbeddedBroker, lease: &Lease, waiting: bool) -> Result<(), BrokerError> {
    let (lease, topics) = (lease.clone(), broker.database.broker_topics().clone());
    let work = move |connection: &_| {
        let (shard, id) = (Shard::new(connection, &lease.queue, &topics), lease.id.to_string());
        if !shard.holds(&lease, &id)? {
            return Ok(());
        }
        let sql = "UPDATE broker_requests SET waiting = ?4 WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
        shard.execute(sql, (shard.queue, lease.tenant.as_str(), &id, waiting))?;
        shard.place(lease.tenant.as_str())?;
        shard.signal_if_runnable()
    };
    Ok(broker.database.call(work).await?)
}

fn by_queue<T: Clone>(things: &[T], queue: fn(&T) -> &QueueName) -> BTreeMap<QueueName, Vec<T>> {
    let mut groups: BTreeMap<QueueName, Vec<T>> = BTreeMap::new();
    for thing in things {
        groups.entry(queue(thing).clone()).or_default().push(thing.clone());
    }
    groups
}

fn whole(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// Settles deliveries of a queue.
pub(super) fn settle_many(shard: &Shard<'_>, settlements: &[(Settlement, Share)]) -> Result<(), BackendError> {
    for (settlement, share) in settlements {
        settle_one(shard, settlement, *share)?;
    }
    shard.rest()?;
    shard.signal_if_runnable()
}

fn settle_one(shard: &Shard<'_>, Settlement { lease, verdict, cost, .. }: &Settlement, share: Share) -> Result<(), BackendError> {
    let (tenant, id) = (lease.tenant.as_str(), lease.id.to_string());
    if !shard.holds(lease, &id)? {
        return Ok(());
    }
    // By the weight that the estimate was charged with.
    shard.charge(tenant, micros(*cost).max(LEAST_COST) as f64 - ESTIMATED_COST as f64)?;
    shard.enter(tenant, share)?;
    match verdict {
        Verdict::Done => forget(shard, tenant, &id)?,
        Verdict::RetryAfter(wait) if wait.is_zero() => shard.enqueue(tenant, &id, shard.now)?,
        Verdict::RetryAfter(wait) => shard.hold_back(tenant, &id, whole(micros(*wait)))?,
        Verdict::GiveBack => shard.make_ready(tenant, &id, shard.now)?,
        Verdict::Reject(reason) => {
            dead::bury(shard, tenant, &id, reason)?;
            forget(shard, tenant, &id)?;
        }
    }
    shard.place(tenant)
}

fn forget(shard: &Shard<'_>, tenant: &str, id: &str) -> Result<(), BackendError> {
    shard.execute("DELETE FROM broker_requests WHERE queue = ?1 AND tenant = ?2 AND id = ?3", (shard.queue, tenant, id)).map(drop)
}

fn extend_many(shard: &Shard<'_>, leases: Vec<Lease>, length: i64) -> Result<Vec<Lease>, BackendError> {
    let mut lost = Vec::new();
    for lease in leases {
        let id = lease.id.to_string();
        if shard.holds(&lease, &id)? {
            let sql = "UPDATE broker_requests SET at = ?4 WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
            shard.execute(sql, (shard.queue, lease.tenant.as_str(), &id, shard.now.saturating_add(length)))?;
        } else {
            lost.push(lease);
        }
    }
    Ok(lost)
}
