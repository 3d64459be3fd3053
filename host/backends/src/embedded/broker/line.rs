//! A receiver's place in the line: claims from queue after queue, and sleeps until one is signalled in this process.

use std::time::Duration;

use mogbox_core::broker::{BrokerError, Settlement, Wanted};
use mogbox_core::ids::QueueName;

use super::shard::Shard;
use super::{EmbeddedBroker, claim, settle};
use crate::broker::{Claimed, Line, micros};
use crate::topics::Listener;

pub(super) struct EmbeddedLine<'a> {
    broker: &'a EmbeddedBroker,
    signals: Listener<String>,
    queues: Vec<QueueName>,
}

impl<'a> EmbeddedLine<'a> {
    pub(super) fn new(broker: &'a EmbeddedBroker) -> Self {
        let mut queues = broker.settings.queues.clone();
        // No queue is always looked at first.
        let first = rand::random_range(0..queues.len().max(1)).min(queues.len());
        queues.rotate_left(first);
        let names = queues.iter().map(|queue| queue.as_str().to_owned()).collect();
        Self { broker, signals: broker.database.broker_topics().listen(names), queues }
    }
}

impl Line for EmbeddedLine<'_> {
    async fn exchange(&mut self, settlements: &[Settlement], wanted: &Wanted) -> Result<Claimed, BrokerError> {
        let (queues, topics) = (self.queues.clone(), self.broker.database.broker_topics().clone());
        let lease = i64::try_from(micros(self.broker.settings.lease)).unwrap_or(i64::MAX);
        let wanted = wanted.clone();
        let settled = settle::prepare(self.broker, settlements);
        let work = move |connection: &_| {
            for (queue, group) in &settled {
                settle::settle_many(&Shard::new(connection, queue, &topics), group)?;
            }
            let mut claimed = Claimed::default();
            for queue in queues.iter().filter(|_| wanted.most > 0) {
                let left = wanted.up_to(wanted.most.saturating_sub(claimed.messages.len()));
                claimed.join(claim::claim(&Shard::new(connection, queue, &topics), queue, &left, lease)?);
            }
            Ok(claimed)
        };
        Ok(self.broker.database.call(work).await?)
    }

    async fn wait(&mut self, most: Duration) -> Result<(), BrokerError> {
        // The end of the time is an answer like any other.
        let _ = tokio::time::timeout(most, self.signals.notified()).await;
        Ok(())
    }
}
