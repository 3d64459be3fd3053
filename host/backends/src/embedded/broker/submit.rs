//! Queues requests. Twin of `submit.lua`.

use std::collections::BTreeMap;

use futures::future::join_all;
use mogbox_core::broker::{BrokerError, Submission};
use mogbox_core::ids::{QueueName, Tenant};
use mogbox_core::request::MAX_PRIORITY;
use mogbox_core::wire::envelope::encode_request;
use rusqlite::Connection;

use super::EmbeddedBroker;
use super::shard::{READY, Shard};
use crate::broker::{Share, micros};
use crate::error::BackendError;
use crate::topics::Topics;

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

/// Requests of one tenant for one queue.
pub(in crate::embedded) struct Group {
    queue: QueueName,
    tenant: Tenant,
    share: Share,
    topics: Topics<String>,
    requests: Vec<Queued>,
}

impl Group {
    /// Queues the requests at these places of the group.
    pub(in crate::embedded) fn store(&self, connection: &Connection, chosen: impl Fn(usize) -> bool) -> Result<(), BackendError> {
        let (shard, tenant) = (Shard::new(connection, &self.queue, &self.topics), self.tenant.as_str());
        shard.enter(tenant, self.share)?;
        for (_, request) in self.requests.iter().enumerate().filter(|(place, _)| chosen(*place)) {
            store_one(&shard, tenant, request)?;
        }
        shard.place(tenant)?;
        shard.signal_if_runnable()
    }
}

/// Submissions by tenant and queue, each group with what it was made of.
pub(super) fn groups<'a>(broker: &EmbeddedBroker, submissions: &'a [Submission]) -> Vec<(Group, Vec<&'a Submission>)> {
    let mut groups: BTreeMap<(QueueName, Tenant), Vec<&Submission>> = BTreeMap::new();
    for submission in submissions {
        groups.entry((submission.queue.clone(), submission.tenant.clone())).or_default().push(submission);
    }
    let group = |((queue, tenant), members): ((QueueName, Tenant), Vec<&'a Submission>)| {
        let (share, topics) = (broker.settings.share_of(&tenant), broker.database.broker_topics().clone());
        let requests = members.iter().map(|one| Queued::from(*one)).collect();
        (Group { queue, tenant, share, topics, requests }, members)
    };
    groups.into_iter().map(group).collect()
}

/// Queues requests, all of each tenant and queue or none.
pub(super) async fn submit(broker: &EmbeddedBroker, submissions: &[Submission]) -> Result<(), BrokerError> {
    // At the same time, so that they share transactions.
    let calls =
        groups(broker, submissions).into_iter().map(|(group, _)| broker.database.call(move |connection| group.store(connection, |_| true)));
    Ok(join_all(calls).await.into_iter().collect::<Result<_, _>>()?)
}

/// Applies a tenant's share as it is now in every queue that is consumed: a submission of nothing.
pub(super) async fn reshare(broker: &EmbeddedBroker, tenant: &Tenant) -> Result<(), BrokerError> {
    let groups = broker.settings.queues.iter().map(|queue| {
        let (share, topics) = (broker.settings.share_of(tenant), broker.database.broker_topics().clone());
        Group { queue: queue.clone(), tenant: tenant.clone(), share, topics, requests: Vec::new() }
    });
    let calls = groups.map(|group| broker.database.call(move |connection| group.store(connection, |_| true)));
    Ok(join_all(calls).await.into_iter().collect::<Result<_, _>>()?)
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
