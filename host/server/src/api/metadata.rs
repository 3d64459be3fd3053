//! `/v1/requests/{id}/metadata`: read and written from outside, while the request waits, runs or is done.

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use mogbox_core::store::Written;
use mogbox_core::{Bound, Entries, Json, RequestId, Tenant};

use super::access::{Caller, Sender};
use super::extract::{FRAME, Key, Target, read_json};
use super::problem::{Code, Problem};
use super::requests::not_found;
use super::{Api, limited};

/// All metadata, as one object.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}/metadata",
    tag = "metadata",
    security(("bearer" = ["read"])),
    responses((status = 200, body = Object, description = "values by key"))
)]
pub(super) async fn list(State(api): State<Api>, Caller(tenant): Caller, Target(id): Target) -> Result<JsonBody<Entries>, Problem> {
    read(&api, &tenant, id).await.map(JsonBody)
}

/// The value under one key.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}/metadata/{key}",
    tag = "metadata",
    security(("bearer" = ["read"])),
    responses((status = 200, body = serde_json::Value, description = "the value"))
)]
pub(super) async fn get(
    State(api): State<Api>,
    Caller(tenant): Caller,
    Target(id): Target,
    Key(key): Key,
) -> Result<JsonBody<Json>, Problem> {
    let entries = read(&api, &tenant, id).await?;
    let absent = || Problem::new(Code::MetadataNotFound, format!("request {id} has no metadata {key:?}; {}", keys_of(&entries)));
    entries.get(&key).cloned().map(JsonBody).ok_or_else(absent)
}

/// Stores the value of one key.
#[utoipa::path(
    put,
    path = "/v1/requests/{id}/metadata/{key}",
    tag = "metadata",
    request_body(content = serde_json::Value, description = "The value."),
    security(("bearer" = ["submit"])),
    responses((status = 204, description = "it is stored"))
)]
pub(super) async fn put(
    State(api): State<Api>,
    Sender(tenant): Sender,
    Target(id): Target,
    Key(key): Key,
    body: Body,
) -> Result<StatusCode, Problem> {
    let value: Json = read_entries(&api, &tenant, body).await?;
    write(&api, &tenant, id, &Entries::from_iter([(key, value)])).await
}

/// Stores several keys, all or none.
#[utoipa::path(
    patch,
    path = "/v1/requests/{id}/metadata",
    tag = "metadata",
    request_body(content = Object, description = "Values by key."),
    security(("bearer" = ["submit"])),
    responses((status = 204, description = "all are stored"))
)]
pub(super) async fn patch(State(api): State<Api>, Sender(tenant): Sender, Target(id): Target, body: Body) -> Result<StatusCode, Problem> {
    let entries: Entries = read_entries(&api, &tenant, body).await?;
    write(&api, &tenant, id, &entries).await
}

async fn read_entries<T: serde::de::DeserializeOwned>(api: &Api, tenant: &Tenant, body: Body) -> Result<T, Problem> {
    let terms = api.tenants.terms(tenant);
    let limits = &terms.limits;
    let limit = limits.length(Bound::Metadata).saturating_add(FRAME);
    read_json(body, limit, || limited(limits, Bound::Metadata)).await
}

async fn read(api: &Api, tenant: &Tenant, id: RequestId) -> Result<Entries, Problem> {
    api.results.metadata(tenant, id).await?.ok_or_else(|| not_found(tenant, id))
}

async fn write(api: &Api, tenant: &Tenant, id: RequestId, entries: &Entries) -> Result<StatusCode, Problem> {
    let terms = api.tenants.terms(tenant);
    match api.results.set_metadata(tenant, id, None, entries, &terms.limits).await? {
        Written::Stored => Ok(StatusCode::NO_CONTENT),
        Written::OverBound(bound) => Err(limited(&terms.limits, bound)),
        Written::Missing => Err(not_found(tenant, id)),
        Written::Fenced => Err(Problem::internal(&"a writer from outside was fenced off")),
    }
}

fn keys_of(entries: &Entries) -> String {
    let keys: Vec<&str> = entries.iter().take(20).map(|(key, _)| key).collect();
    if keys.is_empty() { "it has none at all".to_owned() } else { format!("it has: {}", keys.join(", ")) }
}
