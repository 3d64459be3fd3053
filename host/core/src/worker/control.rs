//! Listens to what is said to every node: revocations, changes of modules and tenants, and questions for what the node runs.

use std::sync::Arc;

use futures::{StreamExt as _, stream};

use super::Ports;
use super::revocations::Revocations;
use super::running::Running;
use crate::broker::{Broker, BrokerError, Control, NodeStatus};
use crate::ids::{NodeId, RequestId, Tenant};
use crate::retry::Backoff;

/// Most requests that an answer names: as many as guests may be alive.
const MOST_NAMED: usize = 10_000;

/// Tenants whose new share the broker is told of at once.
const AT_ONCE: usize = 16;

/// A node's ear.
pub(super) struct Listener {
    pub(super) ports: Ports,
    pub(super) node_id: NodeId,
    pub(super) running: Arc<Running>,
    pub(super) revocations: Arc<Revocations>,
}

impl Listener {
    /// Listens until it is aborted.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.follow().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "cannot listen to control messages");
                }
            }
            tokio::time::sleep(Backoff::CALLS.wait(failures.max(1))).await;
        }
    }

    async fn follow(&self) -> Result<(), BrokerError> {
        let mut messages = self.ports.broker.control().await?;
        while let Some(message) = messages.next().await {
            match message {
                Control::Revoke { tenant, id } => self.revocations.told_of(&tenant, id).await,
                Control::ModulesChanged { tenant } => self.ports.catalog.forget(&tenant),
                Control::TenantChanged { .. } => self.ports.tenants.look_again(),
                Control::Status { id, tenant } => self.answer(id, &tenant).await,
            }
        }
        Ok(())
    }

    async fn answer(&self, query: RequestId, tenant: &Tenant) {
        let running = self.running.requests().into_iter().filter(|(its, _)| its == tenant).map(|(_, id)| id);
        let status = NodeStatus { node_id: self.node_id.clone(), running_request_ids: running.take(MOST_NAMED).collect() };
        if let Err(error) = self.ports.broker.answer(query, status).await {
            tracing::warn!(%error, "cannot tell what this node runs");
        }
    }
}

/// Lets the broker take notice of tenants whose share is another now. One that it does not is served by it with its next submission.
pub(super) async fn reshare(broker: &Arc<dyn Broker>, tenants: Vec<Tenant>) {
    let each = stream::iter(tenants).for_each_concurrent(AT_ONCE, |tenant| async move {
        if let Err(error) = broker.reshare(&tenant).await {
            tracing::warn!(%tenant, %error, "the broker does not know of a tenant's new share yet");
        }
    });
    each.await;
}
