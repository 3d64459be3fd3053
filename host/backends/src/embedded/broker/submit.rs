//! Queues requests. Twin of `submit.lua`.

use std::collections::BTreeMap;

use futures::future::join_all;
use mogbox_core::broker::{BrokerError, Submission};
use mogbox_core::ids::{QueueName, Tenant};
use mogbox_core::request::MAX_PRIORITY;
use mogbox_core::wire::envelope::encode_request;

use super::EmbeddedBroker;
use super::shard::{READY, Shard};
use crate::broker::{Share, micros};
use crate::error::BackendError;

struct Queued {
    id: String,
    priority: u8,
    delay: i64,
    body: String,
}

impl From<&Submission> for Queued {
    fn from(Submission { request, delay, .. }: &Submission) -> Self {
        let delay = i64::try_from(micros(*delay)).unwrap_or(i64::MAX);
        Self { id: request.id.to_string(), priority: request.priority.min(MAX_PRIORITY), delay, body: encode_request(request) }
    }
}

/// Queues requests, all of each tenant and queue or none.
pub(super) async fn submit(broker: &EmbeddedBroker, submissions: &[Submission]) -> Result<(), BrokerError> {
    let mut groups: BTreeMap<(QueueName, Tenant), Vec<Queued>> = BTreeMap::new();
    for submission in submissions {
        groups.entry((submission.queue.clone(), submission.tenant.clone())).or_default().push(submission.into());
    }
    // At the same time, so that they share transactions.
    let calls = groups.into_iter().map(|((queue, tenant), group)| {
        let (topics, share) = (broker.database.broker_topics().clone(), broker.settings.share_of(&tenant));
        broker.database.call(move |connection| store(&Shard::new(connection, &queue, &topics), tenant.as_str(), share, &group))
    });
    Ok(join_all(calls).await.into_iter().collect::<Result<_, _>>()?)
}

fn store(shard: &Shard<'_>, tenant: &str, share: Share, group: &[Queued]) -> Result<(), BackendError> {
    shard.enter(tenant, share)?;
    for request in group {
        store_one(shard, tenant, request)?;
    }
    shard.place(tenant)?;
    shard.signal_if_runnable()
}

/// One that is queued or leased already is left as it is.
fn store_one(shard: &Shard<'_>, tenant: &str, Queued { id, priority, delay, body }: &Queued) -> Result<(), BackendError> {
    let sql = "INSERT INTO broker_requests (queue, tenant, id, state, at, priority, sequence, fence, expiries, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, ?7) ON CONFLICT DO NOTHING";
    let new = shard.execute(sql, (shard.queue, tenant, id, READY, shard.now, priority, body.as_bytes()))? == 1;
    match (new, *delay) {
        (false, _) => Ok(()),
        (true, 0) => shard.enqueue(tenant, id, shard.now),
        (true, wait) => shard.hold_back(tenant, id, wait),
    }
}
