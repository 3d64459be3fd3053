//! What lies where, over the queues that the node consumes. Changes nothing.

use mogbox_core::broker::{Backlog, BrokerError, DeadLetter};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use serde::Deserialize;

use super::Inner;
use crate::broker::{MOST_DEAD_READ, dead_letter, newest_first};

/// Tenants whose requests another broker carries as well.
const CARRIED: &str = "mogbox.carried";

/// Seconds that it is kept after a node has said so: as long as results.
const CARRIED_TTL: i64 = 21 * 86_400;

/// A dead letter as `requests.lua` writes it; `at` in microseconds since 1970, as text, which keeps it exact.
#[derive(Deserialize)]
struct Stored {
    body: String,
    reason: String,
    at: String,
}

pub(super) async fn queues(broker: &Inner, tenant: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
    let (mut counts, partitions) = (redis::pipe(), broker.partitions.of_tenant(tenant));
    for partition in &partitions {
        counts.zcard(partition.tenant_key("ready", tenant)).scard(partition.tenant_key("delayed", tenant));
        counts.hget(partition.held_key(), tenant.as_str()).llen(partition.tenant_key("dead", tenant));
    }
    let counts: Vec<Option<u64>> = broker.connection.pipeline(&counts).await?;
    let backlog = |counts: &[Option<u64>]| {
        let count = |at: usize| counts.get(at).copied().flatten().unwrap_or(0);
        Backlog { ready: count(0), delayed: count(1), leased: count(2), dead: count(3) }
    };
    Ok(partitions.into_iter().map(|partition| partition.queue).zip(counts.chunks(4).map(backlog)).collect())
}

/// Whether each request has its key, which it has for as long as it is queued or handed out. One of a tenant whose requests another broker
/// carries as well may be there, which nobody can tell.
pub(super) async fn knows(broker: &Inner, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
    let mut questions = redis::pipe();
    for (tenant, queue, id) in requests {
        questions.exists(broker.partitions.of(queue, tenant).request_key(tenant, *id)).sismember(CARRIED, tenant.as_str());
    }
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let answers: Vec<bool> = broker.connection.pipeline(&questions).await?;
    Ok(answers.chunks(2).map(|either| either.contains(&true)).collect())
}

pub(super) async fn note_carried(broker: &Inner, tenants: &[Tenant]) -> Result<(), BrokerError> {
    let mut note = redis::pipe();
    let names: Vec<&str> = tenants.iter().map(Tenant::as_str).collect();
    note.sadd(CARRIED, names).ignore().expire(CARRIED, CARRIED_TTL).ignore();
    Ok(broker.connection.pipeline(&note).await?)
}

pub(super) async fn dead_letters(broker: &Inner, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
    let most = most.min(MOST_DEAD_READ);
    let mut letters = Vec::new();
    for partition in broker.partitions.of_tenant(tenant).iter().filter(|_| most > 0) {
        let range = redis::Cmd::lrange(partition.tenant_key("dead", tenant), 0, isize::try_from(most).unwrap_or(isize::MAX) - 1);
        let stored: Vec<Vec<u8>> = broker.connection.query(&range).await?;
        for one in stored {
            letters.push(read(&partition.queue, &one)?);
        }
    }
    Ok(newest_first(letters, most))
}

/// The body inside may hold any bytes, cut anywhere.
fn read(queue: &QueueName, stored: &[u8]) -> Result<DeadLetter, BrokerError> {
    let malformed = |error: &dyn std::fmt::Display| BrokerError::Malformed(format!("a dead letter of queue {queue}: {error}"));
    let Stored { body, reason, at } = serde_json::from_str(&String::from_utf8_lossy(stored)).map_err(|error| malformed(&error))?;
    dead_letter(queue.clone(), body.as_bytes(), reason, at.parse().map_err(|error| malformed(&error))?)
}
