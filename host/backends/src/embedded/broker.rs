//! The broker in the embedded database: the same steps as on Redis, as transactions; receivers of this process are woken directly.
//! Knows nothing of results.

mod claim;
mod dead;
mod line;
mod purge;
mod settle;
mod shard;
mod submit;

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use mogbox_core::broker::{Backlog, Broker, BrokerError, Control, DeadLetter, Delivery, Lease, NodeStatus, Settlement, Submission, Wanted};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use rusqlite::Connection;
use tokio::sync::broadcast::{self, error::RecvError};

use super::Database;
use crate::broker::{BrokerSettings, exchange, receive};
use crate::error::OpenError;
use line::EmbeddedLine;
use shard::LEASED;
use submit::Group;

/// Its tables.
pub(super) const SCHEMA: &str = include_str!("broker/schema.sql");

/// Ends the leases of every queue, of which a new process holds none; how many there were. What was leased is taken back as what
/// expires is: counted, so that a request that takes each process along is given up.
pub(super) fn end_leases(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute("UPDATE broker_requests SET at = 0 WHERE state = ?1", [LEASED])
}

/// Control messages that a slow listener may lag behind; it misses the oldest beyond.
const CONTROL_BACKLOG: usize = 1_024;

/// The broker of a node in its embedded database. A clone is the same one.
#[derive(Clone)]
pub struct EmbeddedBroker {
    database: Database,
    settings: BrokerSettings,
    control: broadcast::Sender<Control>,
    answers: broadcast::Sender<(RequestId, NodeStatus)>,
}

impl EmbeddedBroker {
    /// A broker in this database. Control messages reach those who listen to it or to its clones.
    ///
    /// # Errors
    /// Where a setting is not allowed.
    pub fn new(database: Database, settings: BrokerSettings) -> Result<Self, OpenError> {
        settings.check()?;
        let (control, answers) = (broadcast::Sender::new(CONTROL_BACKLOG), broadcast::Sender::new(CONTROL_BACKLOG));
        Ok(Self { database, settings, control, answers })
    }

    /// The same broker with other settings.
    ///
    /// # Errors
    /// Where a setting is not allowed.
    pub fn with(&self, settings: BrokerSettings) -> Result<Self, OpenError> {
        settings.check()?;
        Ok(Self { settings, ..self.clone() })
    }
}

impl EmbeddedBroker {
    /// Submissions by tenant and queue, each group with what it was made of.
    pub(super) fn groups<'a>(&self, submissions: &'a [Submission]) -> Vec<(Group, Vec<&'a Submission>)> {
        submit::groups(self, submissions)
    }

    pub(super) const fn database(&self) -> &Database {
        &self.database
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn submit(&self, submissions: &[Submission]) -> Result<(), BrokerError> {
        submit::submit(self, submissions).await
    }

    async fn receive(&self, wanted: &Wanted, wait: Duration) -> Result<Vec<Delivery>, BrokerError> {
        let mut line = EmbeddedLine::new(self);
        receive(&mut line, wanted, wait, self.settings.longest_message).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Lease>, BrokerError> {
        settle::extend(self, leases).await
    }

    async fn set_waiting(&self, lease: &Lease, waiting: bool) -> Result<(), BrokerError> {
        settle::set_waiting(self, lease, waiting).await
    }

    async fn reshare(&self, tenant: &Tenant) -> Result<(), BrokerError> {
        submit::reshare(self, tenant).await
    }

    async fn exchange(&self, settlements: &[Settlement], wanted: &Wanted) -> Result<Vec<Delivery>, BrokerError> {
        let mut line = EmbeddedLine::new(self);
        exchange(&mut line, settlements, wanted, self.settings.longest_message).await
    }

    async fn knows(&self, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
        dead::knows(self, requests.to_vec()).await
    }

    async fn broadcast(&self, message: &Control) -> Result<(), BrokerError> {
        // An error says only that nobody listens now.
        let _ = self.control.send(message.clone());
        Ok(())
    }

    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError> {
        Ok(stream::unfold(self.control.subscribe(), next_control).boxed())
    }

    async fn status(&self, tenant: &Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
        let mut answers = self.answers.subscribe();
        let id = RequestId::random();
        let listeners = self.control.send(Control::Status { id, tenant: tenant.clone() }).unwrap_or(0);
        let mut gathered = Vec::new();
        let all = async {
            while gathered.len() < listeners {
                match answers.recv().await {
                    Ok((query, status)) if query == id => gathered.push(status),
                    Err(RecvError::Closed) => break,
                    // An answer to another, or answers that were missed.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                }
            }
        };
        // Those that do not answer in time are not there.
        let _ = tokio::time::timeout(wait, all).await;
        Ok(gathered)
    }

    async fn answer(&self, query: RequestId, status: NodeStatus) -> Result<(), BrokerError> {
        // An error says only that nobody waits for it any more.
        let _ = self.answers.send((query, status));
        Ok(())
    }

    async fn purge(&self, tenant: &Tenant, queue: &QueueName, most: usize) -> Result<Vec<RequestId>, BrokerError> {
        purge::purge(self, tenant, queue, most).await
    }

    async fn leave(&self) -> Result<(), BrokerError> {
        // All nodes take from the same queues.
        Ok(())
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        Ok(self.database.probe().await?)
    }

    async fn queues(&self, tenant: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
        dead::queues(self, tenant.clone()).await
    }

    async fn dead_letters(&self, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        dead::dead_letters(self, tenant.clone(), most).await
    }
}

async fn next_control(mut messages: broadcast::Receiver<Control>) -> Option<(Control, broadcast::Receiver<Control>)> {
    loop {
        match messages.recv().await {
            Ok(message) => return Some((message, messages)),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "control messages were missed"),
            Err(RecvError::Closed) => return None,
        }
    }
}
