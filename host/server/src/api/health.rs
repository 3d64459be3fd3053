//! `/healthz`: the process lives. `/readyz`: store and broker take writes, and the node takes requests.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::problem::{Code, Problem};
use super::types::Health;

/// Time in which store and broker must answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    responses((status = 200, body = Health, description = "it lives"))
)]
pub(super) async fn live() -> Json<Health> {
    Json(Health { status: "ok".to_owned() })
}

/// The node can do its work.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses((status = 200, body = Health, description = "it is ready"))
)]
pub(super) async fn ready(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    if api.draining.is_cancelled() {
        return Err(Problem::new(Code::NotReady, "the node is shutting down"));
    }
    let (store, broker) = tokio::join!(answer(api.results.probe()), answer(api.broker.probe()));
    let failing: Vec<String> = [store, broker].into_iter().filter_map(Result::err).collect();
    if failing.is_empty() {
        return Ok(live().await);
    }
    Err(Problem::new(Code::NotReady, failing.join("; ")))
}

/// Whether a write is taken in time; if not, why.
async fn answer<E: Display>(probe: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, probe).await {
        Ok(answered) => answered.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
