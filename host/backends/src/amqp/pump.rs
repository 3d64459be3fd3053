//! Moves requests from RabbitMQ's queues to the broker on Redis, as many as the node has places for; a message is acknowledged once it
//! is stored there.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::{Channel, Consumer};
use mogbox_core::broker::{Broker as _, BrokerError, Submission};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{ResultStore, StoreError, Transition, Waits};
use mogbox_core::wire::envelope::{decode_request, misnamed_task};

use super::demand::Demand;
use super::link::{Link, close, consume, unavailable, within};
use super::messages;
use super::names::{self, Declaration};
use super::outage::Outage;
use super::rarely::Rarely;
use crate::broker::MOST_CLAIMED_BYTES;
use crate::redis::broker::RedisBroker;

/// Messages that RabbitMQ sends ahead at most, each as large as its `max_message_size` allows.
const MOST_AHEAD: u16 = 512;

/// A node that has had no place for so long leaves what RabbitMQ has sent ahead to others.
const IDLE: Duration = Duration::from_millis(50);

/// One queue of an application.
pub(super) struct Pump {
    pub(super) app: Tenant,
    pub(super) queue: QueueName,
    pub(super) link: Arc<Link>,
    pub(super) broker: RedisBroker,
    pub(super) results: Arc<dyn ResultStore>,
    pub(super) demand: Arc<Demand>,
    pub(super) longest_message: usize,
    pub(super) told: Rarely,
}

impl Pump {
    /// Moves until it is aborted. What was received and not stored when a connection breaks comes again.
    pub(super) async fn run(self) {
        let (mut outage, what) = (Outage::none(), format!("take requests of {}.{} from RabbitMQ", self.app, self.queue));
        loop {
            let Err(error) = self.move_all(&mut outage, &what).await;
            outage.goes_on(&what, &error).await;
        }
    }

    async fn move_all(&self, outage: &mut Outage, what: &str) -> Result<Infallible, BrokerError> {
        let channel = self.link.channel().await?;
        let failed = self.consume(&channel, outage, what).await;
        // The server puts back what it had sent through the channel.
        close(&channel).await;
        failed
    }

    async fn consume(&self, channel: &Channel, outage: &mut Outage, what: &str) -> Result<Infallible, BrokerError> {
        within(Declaration::Tasks(self.app.clone(), self.queue.clone()).make(channel)).await?;
        loop {
            self.demand.some().await;
            while !self.has_room().await? {
                tokio::time::sleep(IDLE).await;
            }
            let _pumping = self.demand.pumping();
            let ahead = u16::try_from(self.demand.most()).map_or(MOST_AHEAD, |places| places.min(MOST_AHEAD));
            let mut messages = consume(channel, &names::task_queue(&self.app, &self.queue), ahead).await?;
            self.fill(&mut messages, outage, what).await?;
            within(channel.basic_cancel(messages.tag(), BasicCancelOptions::default())).await?;
            // All that came and was not acknowledged: others may have it.
            within(channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true })).await?;
        }
    }

    /// Whether nodes take what lies ready. Where an application has as many requests in flight as it may, its places stay free, and ask for
    /// more that cannot be handed out.
    async fn has_room(&self) -> Result<bool, BrokerError> {
        Ok(self.broker.backlog(&self.app).await?.ready <= 2 * self.demand.most() as u64)
    }

    /// Moves messages while there are places for their requests; returns when there has been none for a while, or no room.
    async fn fill(&self, messages: &mut Consumer, outage: &mut Outage, what: &str) -> Result<(), BrokerError> {
        let mut arrived = VecDeque::new();
        loop {
            if arrived.is_empty() {
                tokio::select! {
                    next = messages.next() => arrived.push_back(received(next)?),
                    () = self.demand.gone(IDLE) => return Ok(()),
                }
            }
            while arrived.len() < usize::from(MOST_AHEAD)
                && let Some(next) = messages.next().now_or_never()
            {
                arrived.push_back(received(next)?);
            }
            let fitting = fitting(arrived.iter().map(|delivery| delivery.data.len()));
            let Ok(taken) = tokio::time::timeout(IDLE, self.demand.take(fitting)).await else { return Ok(()) };
            let stored = self.move_batch(arrived.drain(..taken).collect()).await;
            self.demand.done(taken, *stored.as_ref().unwrap_or(&0));
            stored?;
            outage.ends(what);
            if !self.has_room().await? {
                return Ok(());
            }
        }
    }

    /// Moves messages. Returns how many requests they were.
    async fn move_batch(&self, batch: Vec<Delivery>) -> Result<usize, BrokerError> {
        let stored = self.store(&batch).await?;
        if let Some(last) = batch.last() {
            within(last.acker.ack(BasicAckOptions { multiple: true })).await?;
        }
        Ok(stored)
    }

    /// Stores requests, and what is none with the dead letters. One that is stored already, as its acknowledgement was lost, is left as
    /// it is.
    async fn store(&self, batch: &[Delivery]) -> Result<usize, BrokerError> {
        let mut moved = Vec::with_capacity(batch.len());
        for delivery in batch {
            match decode_request(&delivery.data, self.longest_message) {
                Ok(request) => {
                    let (tenant, queue, delay) = (self.app.clone(), self.queue.clone(), Duration::ZERO);
                    let submission = Submission { tenant, queue, request: Arc::new(request), delay };
                    moved.push((submission, messages::fence_of(&delivery.properties)));
                }
                Err(error) => self.refuse(delivery, &error.to_string()).await?,
            }
        }
        if !moved.is_empty() {
            self.broker.take_over(&moved).await?;
        }
        Ok(moved.len())
    }

    /// Ends the result of the request that a message should have been, for which somebody waits. A message that is no request at all is
    /// kept with the reason.
    async fn refuse(&self, Delivery { data, properties, .. }: &Delivery, reason: &str) -> Result<(), BrokerError> {
        let small = Some(data.as_slice()).filter(|data| data.len() <= self.longest_message);
        if let Some((id, name)) = small.and_then(misnamed_task) {
            return self.end(id, Exception::UnknownTask(name)).await;
        }
        if let Some(others) = self.told.now() {
            tracing::warn!(reason, app = %self.app, queue = %self.queue, others, "a message is no request: it is kept with the dead letters");
        }
        self.broker.bury(&self.app, &self.queue, data, reason).await?;
        match properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok()) {
            Some(id) => self.end(id, Exception::InvalidTaskArguments(vec![("message".to_owned(), reason.to_owned())])).await,
            None => Ok(()),
        }
    }

    async fn end(&self, id: RequestId, exception: Exception) -> Result<(), BrokerError> {
        let value = Value::Exception(exception);
        let step = Transition::Finish {
            state: State::Invalid,
            value,
            at: Timestamp::now(),
            report: None,
            waits: Waits::default(),
            kept_state: true,
        };
        match self.results.transition(&self.app, id, 0, &step).await {
            Err(StoreError::Unavailable(error)) => Err(BrokerError::Unavailable(error)),
            // There is none, it is final, or it runs by another message.
            _ => Ok(()),
        }
    }
}

/// How many of the first messages are moved together: one at least, and as many as have no more bytes than a claim.
fn fitting(lengths: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fitting = lengths.take_while(|length| {
        bytes += length;
        bytes <= MOST_CLAIMED_BYTES
    });
    fitting.count().max(1)
}

fn received(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, BrokerError> {
    next.ok_or_else(|| unavailable("the subscription was ended"))?.map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_messages_are_moved_a_few_at_a_time() {
        assert_eq!(fitting([10; 5].into_iter()), 5);
        assert_eq!(fitting([MOST_CLAIMED_BYTES / 2; 5].into_iter()), 2);
        assert_eq!(fitting([2 * MOST_CLAIMED_BYTES; 5].into_iter()), 1);
    }
}
