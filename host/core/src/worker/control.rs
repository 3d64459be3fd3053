//! Listens to what is said to every node: revocations, changes of modules, and questions for what the node runs.

use std::sync::Arc;

use futures::StreamExt as _;

use super::Ports;
use super::revocations::Revocations;
use super::running::Running;
use crate::broker::{BrokerError, Control, NodeStatus};
use crate::ids::{NodeId, RequestId, Tenant};
use crate::retry::Backoff;

/// Most requests that an answer names: as many as guests may be alive.
const MOST_NAMED: usize = 10_000;

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
