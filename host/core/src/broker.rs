//! The port to whatever carries requests to nodes. At least once: a delivery whose node dies is handed out again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, QueueName, RequestId, Tenant};
use crate::request::Request;

/// A request to carry.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Whose it is.
    pub tenant: Tenant,
    /// Which of the tenant's queues.
    pub queue: QueueName,
    /// The request, shared with whoever else holds it.
    pub request: Arc<Request>,
    /// How long to hold it back first; zero for none.
    pub delay: Duration,
}

/// The right to run a request for a while, and the token that fences off earlier holders.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Whose request it is.
    pub tenant: Tenant,
    /// The queue it came through.
    pub queue: QueueName,
    /// The request.
    pub id: RequestId,
    /// Grows with each hand-out of the request, from 1; also the attempt's number.
    pub fence: u32,
}

/// One handing-out of a request, held by a lease. Settled by exactly one of its verbs, each of which consumes it.
#[derive(Debug)]
#[must_use = "a delivery that is not settled is handed out again when its lease ends"]
pub struct Delivery {
    /// The request.
    pub request: Arc<Request>,
    /// The right to run it.
    pub lease: Lease,
    /// Hand-outs before this one whose lease ran out: crashes of a node.
    pub expiries: u32,
    /// How long it lay ready before it was handed out.
    pub queued: Duration,
}

/// What a node has room for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Requests at the most.
    pub most: usize,
    /// Of one tenant at the most.
    pub of_each: usize,
    /// None of these tenants, who hold enough of the node already. Few.
    pub not_of: Vec<Tenant>,
}

impl Wanted {
    /// So many, whoever's they are.
    #[must_use]
    pub const fn any(most: usize) -> Self {
        Self { most, of_each: most, not_of: Vec::new() }
    }

    /// As many of each, so many in all.
    #[must_use]
    pub fn up_to(&self, most: usize) -> Self {
        Self { most: most.min(self.most), ..self.clone() }
    }
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request is done: forget it.
    Done,
    /// Hand it out again after this time.
    RetryAfter(Duration),
    /// Hand it out again at once, to any node: this one stops.
    GiveBack,
    /// Put it to the dead letters, with the reason.
    Reject(String),
}

/// A delivery with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// Which delivery.
    pub lease: Lease,
    /// What it carried; none where that was no request.
    pub request: Option<Arc<Request>>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// CPU time to charge to the tenant, for fairness.
    pub cost: Duration,
}

impl Delivery {
    fn settle(self, verdict: Verdict, cost: Duration) -> Settlement {
        Settlement { lease: self.lease, request: Some(self.request), verdict, cost }
    }

    /// The request is done.
    #[must_use]
    pub fn done(self, cost: Duration) -> Settlement {
        self.settle(Verdict::Done, cost)
    }

    /// Run it again after `wait`.
    #[must_use]
    pub fn retry_after(self, wait: Duration, cost: Duration) -> Settlement {
        self.settle(Verdict::RetryAfter(wait), cost)
    }

    /// Let another node run it.
    #[must_use]
    pub fn give_back(self, cost: Duration) -> Settlement {
        self.settle(Verdict::GiveBack, cost)
    }

    /// Nobody can run it.
    #[must_use]
    pub fn reject(self, reason: String, cost: Duration) -> Settlement {
        self.settle(Verdict::Reject(reason), cost)
    }
}

/// A message to every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Control {
    /// Stop this request if you run it.
    Revoke {
        /// Whose it is.
        tenant: Tenant,
        /// Which.
        id: RequestId,
    },
    /// The tenant's active modules changed.
    ModulesChanged {
        /// Whose.
        tenant: Tenant,
    },
    /// The tenant's record changed.
    TenantChanged {
        /// Whose.
        tenant: Tenant,
    },
    /// Say which requests of this tenant you run: answered with [`Broker::answer`].
    Status {
        /// Of the question: its answers carry it.
        id: RequestId,
        /// Whose requests.
        tenant: Tenant,
    },
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Which node.
    pub node_id: NodeId,
    /// The requests that it runs, of the tenant that was asked for.
    pub running_request_ids: Vec<RequestId>,
}

/// A message that no node can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The queue it came through.
    pub queue: QueueName,
    /// The message as it came, at most its first 64 KiB, with invalid UTF-8 replaced.
    pub body: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: jiff::Timestamp,
}

/// How much of a tenant lies where. Counts of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Ready to be handed out.
    pub ready: u64,
    /// Held back until their time.
    pub delayed: u64,
    /// Handed out.
    pub leased: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Backlog {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            ready: self.ready + other.ready,
            delayed: self.delayed + other.delayed,
            leased: self.leased + other.leased,
            dead: self.dead + other.dead,
        }
    }
}

/// Why a call to a broker failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The broker does not answer, or refuses to write; trying again may help.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// It answered something that makes no sense.
    #[error("broker data malformed: {0}")]
    Malformed(String),
}

/// Carries requests from clients to nodes. One value serves one node; settings (queues consumed, length of a lease, caps and
/// weights of tenants) are given where it is opened.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Queues requests, all or none within one tenant and queue. A request that is queued or leased already is left as it is.
    async fn submit(&self, submissions: &[Submission]) -> Result<(), BrokerError>;

    /// Hands out what is `wanted`: the highest priority of each tenant first, first come first served, fair between
    /// tenants by the cost charged. Waits up to `wait` for the first, woken by a submission. A message that is no request goes to
    /// the dead letters and is not returned.
    async fn receive(&self, wanted: &Wanted, wait: Duration) -> Result<Vec<Delivery>, BrokerError>;

    /// Renews leases for their full length. Returns those that are no longer held.
    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Lease>, BrokerError>;

    /// Says whether a request that is held only waits for others. While it does, it does not count against its tenant's cap: those it
    /// waits for must be able to run. Passed over where the lease was lost. A broker without caps has nothing to do here.
    async fn set_waiting(&self, lease: &Lease, waiting: bool) -> Result<(), BrokerError>;

    /// Takes notice that a tenant's share is another now, so that what waits is handed out by it at once. Without it, that happens with the
    /// tenant's next submission or settlement. A broker without shares has nothing to do here.
    async fn reshare(&self, tenant: &Tenant) -> Result<(), BrokerError>;

    /// Settles deliveries, then hands out what is `wanted` and lies ready, without waiting: one round trip for what a busy node
    /// needs. A delivery whose lease was lost is left to its new holder, and settling one twice changes nothing. Where the call fails,
    /// nothing may have been settled, and nothing is held.
    async fn exchange(&self, settlements: &[Settlement], wanted: &Wanted) -> Result<Vec<Delivery>, BrokerError>;

    /// Settles deliveries.
    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BrokerError> {
        // Nothing was wanted, so nothing is handed out.
        self.exchange(settlements, &Wanted::any(0)).await.map(drop)
    }

    /// Whether each of these requests is queued or handed out.
    async fn knows(&self, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError>;

    /// Sends a message to every node that listens now.
    async fn broadcast(&self, message: &Control) -> Result<(), BrokerError>;

    /// Listens to messages until the stream is dropped; it goes on after a reconnect, and may miss messages meanwhile.
    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError>;

    /// Asks every node which requests of a tenant it runs. Returns what is answered within `wait`, sooner where all have.
    async fn status(&self, tenant: &Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError>;

    /// Answers a question that came as [`Control::Status`].
    async fn answer(&self, query: RequestId, status: NodeStatus) -> Result<(), BrokerError>;

    /// Removes up to `most` requests of a tenant that lie in one queue, ready or held back, and returns them. What is handed out stays.
    async fn purge(&self, tenant: &Tenant, queue: &QueueName, most: usize) -> Result<Vec<RequestId>, BrokerError>;

    /// How much of a tenant lies where, by queue that the node takes requests from.
    async fn queues(&self, tenant: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError>;

    /// How much of a tenant lies where, in all those queues.
    async fn backlog(&self, tenant: &Tenant) -> Result<Backlog, BrokerError> {
        Ok(self.queues(tenant).await?.into_iter().fold(Backlog::default(), |sum, (_, one)| sum.and(one)))
    }

    /// Called once the node takes no more requests and has settled all: what lies ready for it alone goes to where others take it.
    async fn leave(&self) -> Result<(), BrokerError>;

    /// Whether it takes writes now. Asks by a write that changes nothing: a broker that is full, or may only be read, answers
    /// questions all the same.
    async fn probe(&self) -> Result<(), BrokerError>;

    /// The newest dead letters of a tenant, newest first.
    async fn dead_letters(&self, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError>;
}
