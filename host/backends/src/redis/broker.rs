//! The broker on Redis: scripts over sorted sets, whose keys `broker/shard.lua` lists. Knows nothing of results.

mod calls;
mod control;
mod inspect;
mod line;
mod partition;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use futures::stream::BoxStream;
use mogbox_core::broker::{Backlog, Broker, BrokerError, Control, DeadLetter, Delivery, Lease, NodeStatus, Settlement, Submission, Wanted};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use redis::{Script, ScriptInvocation};

use super::RedisConnection;
use crate::broker::{BrokerSettings, Lull, exchange, receive};
use crate::error::OpenError;
use calls::Calls;
use line::{RedisLine, Sleepers};
use partition::Partitions;

pub(super) use calls::{WITHIN_MEMORY, add_queued, script};
pub(super) use partition::Partition;

/// A node's broker on Redis. A clone is the same one.
#[derive(Clone)]
pub struct RedisBroker(Arc<Inner>);

struct Inner {
    connection: RedisConnection,
    settings: BrokerSettings,
    partitions: Partitions,
    calls: Calls,
    sleepers: Sleepers,
    lull: Lull,
}

impl RedisBroker {
    /// A broker over this connection.
    ///
    /// # Errors
    /// Where a setting is not allowed.
    pub fn new(connection: RedisConnection, settings: BrokerSettings) -> Result<Self, OpenError> {
        settings.check()?;
        let partitions = Partitions::new(&settings.queues, settings.shards);
        let calls = Calls::new(connection.clone(), settings.clone());
        Ok(Self(Arc::new(Inner { connection, settings, partitions, calls, sleepers: Sleepers::default(), lull: Lull::default() })))
    }

    /// Submissions by the keys they go to: those of a tenant and queue go together, others at the same time.
    pub(super) fn by_tenant<'a>(&self, submissions: &'a [Submission]) -> BTreeMap<(Partition, Tenant), Vec<&'a Submission>> {
        let mut groups: BTreeMap<_, Vec<&Submission>> = BTreeMap::new();
        for one in submissions {
            groups.entry((self.0.partitions.of(&one.queue, &one.tenant), one.tenant.clone())).or_default().push(one);
        }
        groups
    }

    /// Puts a message of a tenant's queue to its dead letters that another broker carried and that is no request.
    ///
    /// # Errors
    /// Where the server does not answer, or takes no writes.
    pub(crate) async fn bury(&self, tenant: &Tenant, queue: &QueueName, body: &[u8], reason: &str) -> Result<(), BrokerError> {
        self.0.calls.bury(&self.0.partitions.of(queue, tenant), tenant, body, reason).await
    }

    /// Notes that another broker carries requests of these tenants as well.
    ///
    /// # Errors
    /// Where the server does not answer, or takes no writes.
    pub(crate) async fn note_carried(&self, tenants: &[Tenant]) -> Result<(), BrokerError> {
        inspect::note_carried(&self.0, tenants).await
    }

    /// Queues requests that another broker carried, each with the fence of its last hand-out there, 0 for none. One that is queued or
    /// leased already is left as it is.
    ///
    /// # Errors
    /// Where the server does not answer, or takes no writes. Some may be queued then.
    pub(crate) async fn take_over(&self, moved: &[(Submission, u32)]) -> Result<(), BrokerError> {
        let groups = self.0.partitions.group(moved, |(submission, _)| (&submission.queue, &submission.tenant));
        for (partition, group) in groups {
            for of_tenant in group.chunk_by(|(one, _), (next, _)| one.tenant == next.tenant) {
                if let Some((first, _)) = of_tenant.first() {
                    self.0.calls.take_over(&partition, &first.tenant, of_tenant).await?;
                }
            }
        }
        Ok(())
    }

    /// A call of a script that queues requests of a tenant.
    pub(super) fn queueing<'a>(&self, script: &'a Script, partition: &Partition, tenant: &Tenant) -> ScriptInvocation<'a> {
        self.0.calls.queueing(script, partition, tenant)
    }

    pub(super) fn connection(&self) -> &RedisConnection {
        &self.0.connection
    }
}

#[async_trait]
impl Broker for RedisBroker {
    async fn submit(&self, submissions: &[Submission]) -> Result<(), BrokerError> {
        let groups = self.by_tenant(submissions);
        let calls = groups.iter().map(|((partition, tenant), group)| self.0.calls.submit(partition, tenant, group));
        join_all(calls).await.into_iter().collect()
    }

    async fn receive(&self, wanted: &Wanted, wait: Duration) -> Result<Vec<Delivery>, BrokerError> {
        let mut line = RedisLine::new(&self.0);
        receive(&mut line, wanted, wait, self.0.settings.longest_message).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Lease>, BrokerError> {
        let mut lost = Vec::new();
        for (partition, group) in self.0.partitions.group(leases, |lease| (&lease.queue, &lease.tenant)) {
            lost.extend(self.0.calls.extend(&partition, &group).await?);
        }
        Ok(lost)
    }

    async fn set_waiting(&self, lease: &Lease, waiting: bool) -> Result<(), BrokerError> {
        self.0.calls.set_waiting(&self.0.partitions.of(&lease.queue, &lease.tenant), lease, waiting).await
    }

    async fn reshare(&self, tenant: &Tenant) -> Result<(), BrokerError> {
        for partition in self.0.partitions.of_tenant(tenant) {
            self.0.calls.reshare(&partition, tenant).await?;
        }
        Ok(())
    }

    async fn exchange(&self, settlements: &[Settlement], wanted: &Wanted) -> Result<Vec<Delivery>, BrokerError> {
        let mut line = RedisLine::new(&self.0);
        exchange(&mut line, settlements, wanted, self.0.settings.longest_message).await
    }

    async fn knows(&self, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
        inspect::knows(&self.0, requests).await
    }

    async fn broadcast(&self, message: &Control) -> Result<(), BrokerError> {
        control::broadcast(&self.0.connection, message).await.map(drop)
    }

    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError> {
        control::listen(self.0.connection.clone()).await
    }

    async fn status(&self, tenant: &Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
        control::status(&self.0.connection, tenant.clone(), wait).await
    }

    async fn answer(&self, query: RequestId, status: NodeStatus) -> Result<(), BrokerError> {
        control::answer(&self.0.connection, query, &status).await
    }

    async fn purge(&self, tenant: &Tenant, queue: &QueueName, most: usize) -> Result<Vec<RequestId>, BrokerError> {
        self.0.calls.purge(&self.0.partitions.of(queue, tenant), tenant, most).await
    }

    async fn leave(&self) -> Result<(), BrokerError> {
        // All nodes take from the same queues.
        Ok(())
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        for partition in self.0.partitions.consumed() {
            self.0.connection.probe(&partition.probe_key()).await?;
        }
        Ok(())
    }

    async fn queues(&self, tenant: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
        inspect::queues(&self.0, tenant).await
    }

    async fn dead_letters(&self, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        inspect::dead_letters(&self.0, tenant, most).await
    }
}
