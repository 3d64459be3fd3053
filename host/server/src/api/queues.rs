//! `/v1/queues`: what lies in the queues that this node takes requests from, and how they are emptied.

use axum::Json as JsonBody;
use axum::extract::State;
use jiff::Timestamp;
use mogbox_core::store::StoreError;
use mogbox_core::{QueueName, Tenant};

use super::Api;
use super::extract::{Caller, Queue};
use super::problem::{Code, Problem};
use super::types::{Purged, QueueList, QueueView};

/// Requests removed at once.
const BATCH: usize = 128;

/// Requests that one call removes at most.
const MOST: usize = 100_000;

/// Each queue with what of the tenant lies in it.
pub(super) async fn list(State(api): State<Api>, Caller(tenant): Caller) -> Result<JsonBody<QueueList>, Problem> {
    let view = |(name, backlog)| QueueView { name, backlog };
    Ok(JsonBody(QueueList { queues: api.broker.queues(&tenant).await?.into_iter().map(view).collect() }))
}

/// Removes the tenant's requests that nobody has begun, and revokes them, so that whoever waits for one learns of it.
pub(super) async fn purge(State(api): State<Api>, Caller(tenant): Caller, Queue(queue): Queue) -> Result<JsonBody<Purged>, Problem> {
    known(&api, &tenant, &queue).await?;
    let mut purged = 0;
    while purged < MOST {
        let ids = api.broker.purge(&tenant, &queue, BATCH).await?;
        if ids.is_empty() {
            break;
        }
        for id in &ids {
            match api.results.revoke(&tenant, *id, Timestamp::now()).await {
                // What a stranger spoilt is gone from the queue all the same.
                Ok(_) | Err(StoreError::Malformed(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        purged += ids.len();
    }
    tracing::info!(%tenant, %queue, purged, "purged a queue");
    Ok(JsonBody(Purged { queue, purged, complete: purged < MOST }))
}

/// Others may take requests from a queue that this node does not know.
async fn known(api: &Api, tenant: &Tenant, queue: &QueueName) -> Result<(), Problem> {
    let names: Vec<_> = api.broker.queues(tenant).await?.into_iter().map(|(name, _)| name.to_string()).collect();
    if names.iter().any(|name| name == queue.as_str()) {
        return Ok(());
    }
    Err(Problem::new(Code::QueueNotFound, format!("this node takes no requests from queue {queue}: expected one of {}", names.join(", "))))
}
