//! A broker that takes everything and hands out nothing.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use mogbox_core::broker::{Backlog, Broker, BrokerError, Control, DeadLetter, Delivery, Lease, NodeStatus, Settlement, Submission, Wanted};
use mogbox_core::{QueueName, RequestId, Tenant};

use super::Memory;

#[async_trait]
impl Broker for Memory {
    async fn submit(&self, _: &[Submission]) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn receive(&self, _: &Wanted, _: Duration) -> Result<Vec<Delivery>, BrokerError> {
        Ok(Vec::new())
    }

    async fn extend(&self, _: &[Lease]) -> Result<Vec<Lease>, BrokerError> {
        Ok(Vec::new())
    }

    async fn set_waiting(&self, _: &Lease, _: bool) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn reshare(&self, _: &Tenant) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn exchange(&self, _: &[Settlement], _: &Wanted) -> Result<Vec<Delivery>, BrokerError> {
        Ok(Vec::new())
    }

    async fn broadcast(&self, _: &Control) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError> {
        Ok(Box::pin(futures::stream::pending()))
    }

    async fn knows(&self, _requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
        unreachable!("nobody looks for lost requests")
    }

    async fn status(&self, _: &Tenant, _: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
        Ok(Vec::new())
    }

    async fn answer(&self, _: RequestId, _: NodeStatus) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn purge(&self, _: &Tenant, _: &QueueName, _: usize) -> Result<Vec<RequestId>, BrokerError> {
        Ok(Vec::new())
    }

    async fn leave(&self) -> Result<(), BrokerError> {
        // All nodes take from the same queues.
        Ok(())
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn queues(&self, _: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
        Ok(Vec::new())
    }

    async fn dead_letters(&self, _: &Tenant, _: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        Ok(Vec::new())
    }
}
