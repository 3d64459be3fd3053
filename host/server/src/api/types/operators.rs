//! The bodies of `/v1/dead-letters`, `/v1/nodes` and `/v1/queues`.

use mogbox_core::broker::{Backlog, DeadLetter};
use mogbox_core::{NodeId, QueueName, RequestResult};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /v1/dead-letters?most=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeadLetterList {
    /// Newest first.
    #[schema(value_type = Vec<Object>)]
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// Letters asked for that are not here, as all bodies together would be too large for one answer.
    pub(crate) left_off: usize,
}

/// `GET /v1/nodes`: the nodes that answered, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct NodeList {
    /// Workers of Mognet's among them where requests come over RabbitMQ.
    pub(crate) nodes: Vec<NodeView>,
}

/// What a node runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct NodeView {
    /// Which node.
    #[schema(value_type = String)]
    pub(crate) node_id: NodeId,
    /// The requests of the tenant, oldest first.
    #[schema(value_type = Vec<Object>)]
    pub(crate) running_requests: Vec<RequestResult>,
    /// Requests that are not here: more than are shown, or their results are gone.
    pub(crate) left_off: usize,
}

/// `GET /v1/queues`: the queues that the node takes requests from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct QueueList {
    /// In the order that the node was given them.
    pub(crate) queues: Vec<QueueView>,
}

/// What of a tenant lies in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct QueueView {
    /// The queue.
    #[schema(value_type = String)]
    pub(crate) name: QueueName,
    /// Counts of requests.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub(crate) backlog: Backlog,
}

/// `DELETE /v1/queues/{queue}/requests`: what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Purged {
    /// The queue.
    #[schema(value_type = String)]
    pub(crate) queue: QueueName,
    /// Requests that were removed; they are REVOKED now.
    pub(crate) purged: usize,
    /// Whether the queue was found empty; false where more lie in it than one call removes.
    pub(crate) complete: bool,
}
