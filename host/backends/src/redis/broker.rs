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
use mogbox_core::broker::{Backlog, Broker, BrokerError, Control, DeadLetter, Delivery, Lease, Settlement, Submission};
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

    async fn receive(&self, wanted: usize, wait: Duration) -> Result<Vec<Delivery>, BrokerError> {
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

    async fn exchange(&self, settlements: &[Settlement], wanted: usize) -> Result<Vec<Delivery>, BrokerError> {
        let mut line = RedisLine::new(&self.0);
        exchange(&mut line, settlements, wanted, self.0.settings.longest_message).await
    }

    async fn knows(&self, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
        inspect::knows(&self.0, requests).await
    }

    async fn broadcast(&self, message: &Control) -> Result<(), BrokerError> {
        control::broadcast(&self.0.connection, message).await
    }

    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError> {
        control::listen(self.0.connection.clone()).await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        for partition in self.0.partitions.consumed() {
            self.0.connection.probe(&partition.probe_key()).await?;
        }
        Ok(())
    }

    async fn backlog(&self, tenant: &Tenant) -> Result<Backlog, BrokerError> {
        inspect::backlog(&self.0, tenant).await
    }

    async fn dead_letters(&self, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        inspect::dead_letters(&self.0, tenant, most).await
    }
}
