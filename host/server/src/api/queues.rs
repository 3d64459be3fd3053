//! `/v1/queues`: what lies in the queues that this node takes requests from, and how they are emptied.

use axum::Json as JsonBody;
use axum::extract::State;
use mogbox_core::revoke::revoke;
use mogbox_core::{QueueName, Tenant};

use super::Api;
use super::access::{Caller, Sender};
use super::extract::Queue;
use super::problem::{Code, Problem};
use super::types::{Purged, QueueList, QueueView};

/// Requests removed at once.
const BATCH: usize = 128;

/// Requests that one call removes at most.
const MOST: usize = 100_000;

/// Each queue with what of the tenant lies in it.
#[utoipa::path(
    get,
    path = "/v1/queues",
    tag = "queues",
    security(("bearer" = ["read"])),
    responses((status = 200, body = QueueList, description = "the queues"))
)]
pub(super) async fn list(State(api): State<Api>, Caller(tenant): Caller) -> Result<JsonBody<QueueList>, Problem> {
    let view = |(name, backlog)| QueueView { name, backlog };
    Ok(JsonBody(QueueList { queues: api.broker.queues(&tenant).await?.into_iter().map(view).collect() }))
}

/// Removes the tenant's requests that nobody runs now, and revokes them with all below them, so that whoever waits for one learns of it.
#[utoipa::path(
    delete,
    path = "/v1/queues/{queue}/requests",
    tag = "queues",
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Purged, description = "what was removed"))
)]
pub(super) async fn purge(State(api): State<Api>, Sender(tenant): Sender, Queue(queue): Queue) -> Result<JsonBody<Purged>, Problem> {
    known(&api, &tenant, &queue).await?;
    let purged = purge_queue(&api, &tenant, &queue).await?;
    tracing::info!(%tenant, %queue, purged, "purged a queue");
    Ok(JsonBody(Purged { queue, purged, complete: purged < MOST }))
}

/// Removes and revokes a tenant's requests that nobody runs now, of every queue that the node takes requests from.
pub(super) async fn purge_all(api: &Api, tenant: &Tenant) -> Result<usize, Problem> {
    let mut purged = 0;
    for (queue, _) in api.broker.queues(tenant).await? {
        purged += purge_queue(api, tenant, &queue).await?;
    }
    Ok(purged)
}

async fn purge_queue(api: &Api, tenant: &Tenant, queue: &QueueName) -> Result<usize, Problem> {
    let mut purged = 0;
    while purged < MOST {
        // To its end, although the client may go meanwhile: what is out of the queue must not stay open.
        let batch = tokio::spawn(purge_batch(api.clone(), tenant.clone(), queue.clone()));
        match batch.await.map_err(|error| Problem::internal(&error))?? {
            0 => break,
            more => purged += more,
        }
    }
    Ok(purged)
}

/// Returns how many were removed. One that cannot be revoked does not keep the others from it.
async fn purge_batch(api: Api, tenant: Tenant, queue: QueueName) -> Result<usize, Problem> {
    let ids = api.broker.purge(&tenant, &queue, BATCH).await?;
    let mut failure = None;
    for id in &ids {
        if let Err(error) = revoke(api.results.as_ref(), api.broker.as_ref(), &tenant, *id, false, &api.limits).await {
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(ids.len()), |error| Err(error.into()))
}

/// Others may take requests from a queue that this node does not know.
async fn known(api: &Api, tenant: &Tenant, queue: &QueueName) -> Result<(), Problem> {
    let names: Vec<_> = api.broker.queues(tenant).await?.into_iter().map(|(name, _)| name.to_string()).collect();
    if names.iter().any(|name| name == queue.as_str()) {
        return Ok(());
    }
    Err(Problem::new(Code::QueueNotFound, format!("this node takes no requests from queue {queue}: expected one of {}", names.join(", "))))
}
