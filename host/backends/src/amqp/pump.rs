//! Moves requests from RabbitMQ's queues to the broker on Redis, as many as the node has places for; a message is acknowledged once it
//! is stored there.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions, BasicQosOptions};
use lapin::{Channel, Consumer};
use mogbox_core::broker::{Broker as _, BrokerError, Submission};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::retry::Backoff;
use mogbox_core::store::{ResultStore, StoreError, Transition, Waits};
use mogbox_core::wire::envelope::{decode_request, misnamed_task};

use super::demand::Demand;
use super::link::{Link, consume, unavailable, within};
use super::messages;
use super::names::{self, Declaration};
use crate::redis::broker::RedisBroker;

/// Messages that RabbitMQ sends ahead at most, each as large as its `max_message_size` allows.
const MOST_AHEAD: u16 = 256;

/// Requests of an application that lie ready on Redis.
const MOST_READY: u64 = 2_048;

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
}

impl Pump {
    /// Moves until it is aborted. What was received and not stored when a connection breaks comes again.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            let Err(error) = self.move_all(&mut failures).await;
            failures += 1;
            tracing::warn!(%error, app = %self.app, queue = %self.queue, failures, "cannot take requests from RabbitMQ; trying again");
            tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
        }
    }

    async fn move_all(&self, failures: &mut u32) -> Result<Infallible, BrokerError> {
        let channel = self.link.channel().await?;
        let failed = self.consume(&channel, failures).await;
        // The server puts back what it had sent through the channel; where this fails, it is gone already.
        let _ = channel.close(200, "".into()).await;
        failed
    }

    async fn consume(&self, channel: &Channel, failures: &mut u32) -> Result<Infallible, BrokerError> {
        within(Declaration::Tasks(self.app.clone(), self.queue.clone()).make(channel)).await?;
        loop {
            self.demand.some().await;
            let _pumping = self.demand.pumping();
            let ahead = u16::try_from(self.demand.most()).map_or(MOST_AHEAD, |places| places.min(MOST_AHEAD));
            within(channel.basic_qos(ahead, BasicQosOptions::default())).await?;
            let mut messages = consume(channel, &names::task_queue(&self.app, &self.queue), false).await?;
            *failures = 0;
            self.fill(&mut messages).await?;
            within(channel.basic_cancel(messages.tag(), BasicCancelOptions::default())).await?;
            // All that came and was not acknowledged: others may have it.
            within(channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true })).await?;
        }
    }

    /// Moves messages while there are places for their requests; returns when there has been none for a while.
    async fn fill(&self, messages: &mut Consumer) -> Result<(), BrokerError> {
        let mut arrived = VecDeque::new();
        loop {
            if arrived.is_empty() {
                tokio::select! {
                    next = messages.next() => arrived.push_back(received(next)?),
                    () = self.demand.gone(IDLE) => return Ok(()),
                }
            }
            self.room().await?;
            let Ok(taken) = tokio::time::timeout(IDLE, self.demand.take(usize::from(MOST_AHEAD))).await else { return Ok(()) };
            let stored = self.move_batch(messages, &mut arrived, taken).await;
            self.demand.done(taken, *stored.as_ref().unwrap_or(&0));
            stored?;
        }
    }

    /// Returns when nodes have taken enough of what lies ready. Where none may be handed out, as the application has as many in flight as
    /// it may, its places ask for more all the same.
    async fn room(&self) -> Result<(), BrokerError> {
        while self.broker.backlog(&self.app).await?.ready >= MOST_READY {
            tokio::time::sleep(IDLE).await;
        }
        Ok(())
    }

    /// Moves up to `most` of the messages that have arrived by now. Returns how many requests they were.
    async fn move_batch(&self, messages: &mut Consumer, arrived: &mut VecDeque<Delivery>, most: usize) -> Result<usize, BrokerError> {
        while arrived.len() < most
            && let Some(next) = messages.next().now_or_never()
        {
            arrived.push_back(received(next)?);
        }
        let batch: Vec<Delivery> = arrived.drain(..most.min(arrived.len())).collect();
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
        tracing::warn!(reason, app = %self.app, queue = %self.queue, "a message is no request");
        self.broker.bury(&self.app, &self.queue, data, reason).await?;
        match properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok()) {
            Some(id) => self.end(id, Exception::InvalidTaskArguments(vec![("message".to_owned(), reason.to_owned())])).await,
            None => Ok(()),
        }
    }

    async fn end(&self, id: RequestId, exception: Exception) -> Result<(), BrokerError> {
        let value = Value::Exception(exception);
        let step = Transition::Finish { state: State::Invalid, value, at: Timestamp::now(), report: None, waits: Waits::default() };
        match self.results.transition(&self.app, id, 0, &step).await {
            Err(StoreError::Unavailable(error)) => Err(BrokerError::Unavailable(error)),
            // There is none, it is final, or it runs by another message.
            _ => Ok(()),
        }
    }
}

fn received(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, BrokerError> {
    next.ok_or_else(|| unavailable("RabbitMQ ended the subscription"))?.map_err(unavailable)
}
