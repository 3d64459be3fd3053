//! A real broker whose calls a test can watch and hold up: what was settled, when a node listens, what a renewal meets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use mogbox_core::broker::{Backlog, Broker, BrokerError, Control, DeadLetter, Delivery, Lease, NodeStatus, Settlement, Submission, Wanted};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use tokio::sync::watch;

use crate::event::Event;

/// What a renewal of leases meets.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Renewals {
    /// The broker.
    #[default]
    Made,
    /// A broker that does not answer.
    Refused,
    /// A node so slow that it does not notice that time passes: nothing is renewed and nothing said.
    Skipped,
}

/// What a test sees of one node's calls, and its hold on them.
#[derive(Default)]
pub(crate) struct Taps {
    pub(crate) settled: watch::Sender<Vec<Settlement>>,
    pub(crate) listening: Event,
    pub(crate) renewals: Mutex<Renewals>,
    /// How many times leases were renewed.
    pub(crate) renewed: watch::Sender<usize>,
    /// Deliveries are handed on only once `release` has happened.
    pub(crate) hold: Mutex<Option<Hold>>,
}

#[derive(Clone, Default)]
pub(crate) struct Hold {
    pub(crate) taken: Event,
    pub(crate) release: Event,
}

/// The broker with its taps.
pub(crate) struct Tapped {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) taps: Arc<Taps>,
}

#[async_trait]
impl Broker for Tapped {
    async fn submit(&self, submissions: &[Submission]) -> Result<(), BrokerError> {
        self.broker.submit(submissions).await
    }

    async fn receive(&self, wanted: &Wanted, wait: Duration) -> Result<Vec<Delivery>, BrokerError> {
        let deliveries = self.broker.receive(wanted, wait).await?;
        let hold = self.taps.hold.lock().unwrap().clone();
        if let Some(hold) = hold.filter(|_| !deliveries.is_empty()) {
            hold.taken.happens();
            hold.release.happened().await;
        }
        Ok(deliveries)
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Lease>, BrokerError> {
        let renewals = *self.taps.renewals.lock().unwrap();
        match renewals {
            Renewals::Made => {
                let lost = self.broker.extend(leases).await?;
                self.taps.renewed.send_modify(|times| *times += 1);
                Ok(lost)
            }
            Renewals::Refused => Err(BrokerError::Unavailable("cut by the test".into())),
            Renewals::Skipped => Ok(Vec::new()),
        }
    }

    async fn set_waiting(&self, lease: &Lease, waiting: bool) -> Result<(), BrokerError> {
        self.broker.set_waiting(lease, waiting).await
    }

    async fn reshare(&self, tenant: &Tenant) -> Result<(), BrokerError> {
        self.broker.reshare(tenant).await
    }

    async fn exchange(&self, settlements: &[Settlement], wanted: &Wanted) -> Result<Vec<Delivery>, BrokerError> {
        let deliveries = self.broker.exchange(settlements, wanted).await?;
        self.taps.settled.send_modify(|settled| settled.extend_from_slice(settlements));
        Ok(deliveries)
    }

    async fn broadcast(&self, message: &Control) -> Result<(), BrokerError> {
        self.broker.broadcast(message).await
    }

    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError> {
        let messages = self.broker.control().await?;
        self.taps.listening.happens();
        Ok(messages)
    }

    async fn knows(&self, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
        self.broker.knows(requests).await
    }

    async fn status(&self, tenant: &Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
        self.broker.status(tenant, wait).await
    }

    async fn answer(&self, query: RequestId, status: NodeStatus) -> Result<(), BrokerError> {
        self.broker.answer(query, status).await
    }

    async fn purge(&self, tenant: &Tenant, queue: &QueueName, most: usize) -> Result<Vec<RequestId>, BrokerError> {
        self.broker.purge(tenant, queue, most).await
    }

    async fn leave(&self) -> Result<(), BrokerError> {
        self.broker.leave().await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.broker.probe().await
    }

    async fn queues(&self, tenant: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
        self.broker.queues(tenant).await
    }

    async fn dead_letters(&self, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.broker.dead_letters(tenant, most).await
    }
}
