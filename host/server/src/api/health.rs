//! `/healthz`: the process lives. `/readyz`: store and broker answer and the node takes requests.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use mogbox_core::broker::BrokerError;
use mogbox_core::{RequestId, Tenant};

use super::Api;
use super::problem::{Code, Problem};
use super::types::Health;

/// Time in which store and broker must answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process lives.
pub(super) async fn live() -> Json<Health> {
    Json(Health { status: "ok".to_owned() })
}

/// The node can do its work.
pub(super) async fn ready(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    if api.draining.is_cancelled() {
        return Err(Problem::new(Code::NotReady, "the node is shutting down"));
    }
    let (store, broker) = tokio::join!(store(&api), broker(&api));
    let failing: Vec<&str> =
        [("store", store), ("broker", broker)].into_iter().filter(|(_, answers)| !answers).map(|(name, _)| name).collect();
    if failing.is_empty() {
        return Ok(live().await);
    }
    Err(Problem::new(Code::NotReady, format!("no answer within {} s from: {}", PATIENCE.as_secs(), failing.join(", "))))
}

async fn store(api: &Api) -> bool {
    let answer = tokio::time::timeout(PATIENCE, api.results.read(&Tenant::default(), &[RequestId::random()])).await;
    matches!(answer, Ok(Ok(_)))
}

async fn broker(api: &Api) -> bool {
    // The cheapest call: a backlog would be counted. A letter that makes no sense is an answer as well.
    let answer = tokio::time::timeout(PATIENCE, api.broker.dead_letters(&Tenant::default(), 1)).await;
    matches!(answer, Ok(Ok(_) | Err(BrokerError::Malformed(_))))
}
