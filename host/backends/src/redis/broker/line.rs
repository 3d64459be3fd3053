//! A receiver's place in the line: claims from partition after partition, and sleeps in a blocking pop on their markers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mogbox_core::broker::{BrokerError, Settlement, Wanted};
use redis::aio::MultiplexedConnection;

use super::Inner;
use super::partition::Partition;
use crate::broker::{BATCH, Claimed, Line, Lull};
use crate::redis::failure;

/// An answer that is later than this after the end of a blocking pop will not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections for blocking pops: one for each receiver that sleeps at the same time, kept for the next.
#[derive(Default)]
pub(super) struct Sleepers(Mutex<Vec<MultiplexedConnection>>);

impl Sleepers {
    fn take(&self) -> Option<MultiplexedConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, connection: MultiplexedConnection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

pub(super) struct RedisLine<'a> {
    broker: &'a Inner,
    /// Where to look first, so that a marker popped there is passed on there.
    first: usize,
}

impl<'a> RedisLine<'a> {
    pub(super) fn new(broker: &'a Inner) -> Self {
        let first = rand::random_range(0..broker.partitions.consumed().len().max(1));
        Self { broker, first }
    }

    fn partitions(&self) -> impl Iterator<Item = &'a Partition> {
        let (before, from) = self.broker.partitions.consumed().split_at(self.first);
        from.iter().chain(before)
    }

    /// Which list a marker was popped from, if one was in time. A connection that fails is dropped, and its pop with it.
    async fn pop(&self, mut connection: MultiplexedConnection, most: Duration) -> Result<Option<String>, BrokerError> {
        let mut pop = redis::cmd("BLPOP");
        for partition in self.broker.partitions.consumed() {
            pop.arg(partition.wake_key());
        }
        // Zero would wait for ever.
        pop.arg(most.as_secs_f64().max(0.001));
        let popped = tokio::time::timeout(most + PATIENCE, pop.query_async::<Option<(String, i64)>>(&mut connection)).await;
        let popped = popped.map_err(|_| BrokerError::Unavailable("Redis did not answer a blocking pop".to_owned()))?;
        let popped = popped.map_err(|error| failure(&error))?;
        self.broker.sleepers.put_back(connection);
        Ok(popped.map(|(list, _)| list))
    }

    /// A kept connection may have broken meanwhile, which says nothing about the server.
    async fn pop_on_any(&self, most: Duration) -> Result<Option<String>, BrokerError> {
        while let Some(connection) = self.broker.sleepers.take() {
            if let Ok(popped) = self.pop(connection, most).await {
                return Ok(popped);
            }
        }
        self.pop(self.broker.connection.dedicated().await?, most).await
    }

    /// Claims from partition after partition.
    async fn claim(&self, wanted: &Wanted) -> Result<Claimed, BrokerError> {
        let mut claimed = Claimed::default();
        for partition in self.partitions() {
            let left = wanted.up_to(wanted.most.saturating_sub(claimed.messages.len()));
            if left.most == 0 {
                break;
            }
            match self.broker.calls.exchange(partition, &[], &left).await {
                Ok(more) => claimed.join(more),
                // What was claimed before is handed out all the same.
                Err(error) if claimed.messages.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, partition = %partition.base(), "cannot claim requests");
                    break;
                }
            }
        }
        Ok(claimed)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BrokerError> {
        for (partition, group) in self.broker.partitions.group(settlements, |one| (&one.lease.queue, &one.lease.tenant)) {
            for chunk in group.chunks(BATCH) {
                self.broker.calls.exchange(&partition, chunk, &Wanted::any(0)).await?;
            }
        }
        Ok(())
    }
}

impl Line for RedisLine<'_> {
    /// One round trip where there is one partition. Where there are several, none may be served only since it is busiest: they are
    /// settled first, and claimed from in turn.
    async fn exchange(&mut self, settlements: &[Settlement], wanted: &Wanted) -> Result<Claimed, BrokerError> {
        let partitions = self.broker.partitions.consumed();
        if let [only] = partitions
            && settlements.len() <= BATCH
            && settlements.iter().all(|one| self.broker.partitions.of(&one.lease.queue, &one.lease.tenant) == *only)
        {
            let settlements: Vec<_> = settlements.iter().collect();
            return self.broker.calls.exchange(only, &settlements, wanted).await;
        }
        self.settle(settlements).await?;
        self.claim(wanted).await
    }

    async fn wait(&mut self, most: Duration) -> Result<(), BrokerError> {
        if let Some(list) = self.pop_on_any(most).await? {
            let popped = self.broker.partitions.consumed().iter().position(|partition| partition.wake_key() == list);
            self.first = popped.unwrap_or(self.first);
        }
        Ok(())
    }

    fn lull(&self) -> Option<&Lull> {
        Some(&self.broker.lull)
    }
}
