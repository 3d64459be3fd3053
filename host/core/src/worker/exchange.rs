//! The one who talks to the broker: brings what attempts leave and takes along as much work as there are places. A busy node makes
//! one call for both; an idle one waits for work at the broker.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::capacity::{Capacity, Place};
use super::pipeline::{Pipeline, Taken};
use super::settler::{Held, Settling};
use crate::broker::{Broker, BrokerError, Delivery, Wanted};
use crate::retry::Backoff;

/// How long one call for deliveries waits: the longest that an idle node's shutdown takes.
const RECEIVE_WAIT: Duration = Duration::from_secs(1);

/// How long it waits where it leaves out tenants that hold enough of the node: they may not for long.
const SHORT_WAIT: Duration = Duration::from_millis(20);

/// Most deliveries, and most settlements, of one call.
const BATCH: usize = 128;

/// The loop between broker and attempts.
pub(super) struct Exchange {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) capacity: Arc<Capacity>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) settlements: mpsc::Receiver<Settling>,
    /// Cancelled once no more work is to be taken.
    pub(super) draining: CancellationToken,
    /// Cancelled by the exchange once it takes no more work.
    pub(super) drained: CancellationToken,
    pub(super) attempts: TaskTracker,
}

/// A call that waits for work, with the places that are kept for what it brings.
struct Receiving {
    call: BoxFuture<'static, Result<Vec<Delivery>, BrokerError>>,
    places: Vec<Place>,
}

impl Exchange {
    /// Runs until nobody can leave settlements any more.
    pub(super) async fn run(mut self) {
        let mut receiving: Option<Receiving> = None;
        let mut failures = 0;
        loop {
            if receiving.is_none() {
                receiving = self.receive(failures);
            }
            if receiving.is_none() && self.draining.is_cancelled() {
                self.drained.cancel();
            }
            let mut batch = Vec::new();
            tokio::select! {
                // What is to be settled goes first: a busy node's work comes with the answer.
                biased;
                count = self.settlements.recv_many(&mut batch, BATCH) => match count {
                    0 => return,
                    _ => self.settle(batch, receiving.as_ref().map_or(0, |receiving| receiving.places.len())).await,
                },
                received = arrives(&mut receiving) => {
                    let places = receiving.take().map_or_else(Vec::new, |receiving| receiving.places);
                    failures = self.received(received, places, failures);
                    // What came in starts before the next call is made, which would otherwise go first or take another thread.
                    tokio::task::yield_now().await;
                }
                () = self.draining.cancelled(), if !self.draining.is_cancelled() => {}
                _ = self.capacity.some_free(), if receiving.is_none() && self.may_take() => {}
            }
        }
    }

    fn may_take(&self) -> bool {
        !self.draining.is_cancelled()
    }

    /// A call for as much work as there are places. It is never cut short at shutdown: what it was handed out would wait for its
    /// lease to end.
    fn receive(&self, failures: u32) -> Option<Receiving> {
        let wanted = self.capacity.wanted(BATCH, 0);
        if wanted.most == 0 || !self.may_take() || !self.settlements.is_empty() {
            return None;
        }
        let places = (0..wanted.most).map(|_| self.capacity.take()).collect();
        let (broker, draining) = (Arc::clone(&self.broker), self.draining.clone());
        let call = async move {
            if failures > 0 {
                tokio::select! {
                    () = tokio::time::sleep(Backoff::CALLS.wait(failures)) => {}
                    () = draining.cancelled() => return Ok(Vec::new()),
                }
            }
            let wait = if wanted.not_of.is_empty() { RECEIVE_WAIT } else { SHORT_WAIT };
            broker.receive(&wanted, wait).await
        };
        Some(Receiving { call: call.boxed(), places })
    }

    fn received(&self, received: Result<Vec<Delivery>, BrokerError>, places: Vec<Place>, failures: u32) -> u32 {
        match received {
            Ok(deliveries) => {
                self.take_on(deliveries, places);
                0
            }
            Err(error) => {
                tracing::warn!(%error, failures = failures + 1, "cannot receive requests; trying again");
                failures + 1
            }
        }
    }

    /// Brings settlements to the broker, again and again until it takes them, and takes along work for the places that are free, beside
    /// those that are kept for a call which waits.
    async fn settle(&mut self, batch: Vec<Settling>, kept: usize) {
        let (mut settlements, mut held) = (Vec::with_capacity(batch.len()), Vec::<Held>::with_capacity(batch.len()));
        for Settling { settlement, place, held: one } in batch {
            settlements.push(settlement);
            held.push(one);
            drop(place);
        }
        let wanted = if self.may_take() { self.capacity.wanted(BATCH, kept) } else { Wanted::any(0) };
        let places: Vec<Place> = (0..wanted.most).map(|_| self.capacity.take()).collect();
        let mut failures = 0;
        let deliveries = loop {
            match self.broker.exchange(&settlements, &wanted).await {
                Ok(deliveries) => break deliveries,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, failures, "cannot settle deliveries; trying again");
                    tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
                }
            }
        };
        self.take_on(deliveries, places);
        drop(held);
    }

    /// Starts what was handed out. Places that are left over are free again.
    fn take_on(&self, deliveries: Vec<Delivery>, places: Vec<Place>) {
        if deliveries.is_empty() {
            return;
        }
        let mut places = places.into_iter();
        let taken = deliveries.into_iter().map(|delivery| {
            let place = places.next().unwrap_or_else(|| self.capacity.take());
            self.pipeline.take(delivery, place, self.attempts.token())
        });
        let taken: Vec<Taken> = taken.collect();
        self.attempts.spawn(Arc::clone(&self.pipeline).process_all(taken));
    }
}

/// What the call for work brings; never, where there is none.
async fn arrives(receiving: &mut Option<Receiving>) -> Result<Vec<Delivery>, BrokerError> {
    match receiving {
        Some(receiving) => (&mut receiving.call).await,
        None => std::future::pending().await,
    }
}
