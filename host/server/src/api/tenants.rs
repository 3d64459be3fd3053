//! `/v1/tenants`: what an operator lays down for each tenant. `/v1/usage`: what a tenant used.

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::{Timestamp, ToSpan as _};
use mogbox_core::tenants::MOST_CHANGES;
use mogbox_core::tokens::Grant;
use mogbox_core::usage::{MOST_DAYS, day_of};
use mogbox_core::{Control, Digest, Tenant, TenantRecord};
use serde::Deserialize;

use super::Api;
use super::access::{Caller, Operator, record};
use super::extract::{Parameters, TenantName, read_json};
use super::problem::{Code, Problem};
use super::queues::purge_all;
use super::types::{DayUsage, Deleted, NewTenant, TenantChange, TenantList, TenantView, UsageView};

/// Bytes of a record's body.
const MAX_BODY: usize = 1 << 20;

/// Tries to change a record before giving up against faster writers.
const MAX_TRIES: usize = 20;

/// All tenants that have a record, by name.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "tenants",
    security(("bearer" = ["admin"])),
    responses((status = 200, body = TenantList, description = "by name"))
)]
pub(super) async fn list(State(api): State<Api>, _: Operator) -> Result<JsonBody<TenantList>, Problem> {
    let (mut after, mut tenants) = (0, Vec::new());
    loop {
        let changes = api.tenant_store.changes(after).await?;
        let number = changes.len();
        for (name, snapshot) in changes {
            after = snapshot.revision.max(after);
            tenants.extend(snapshot.record.map(|record| TenantView::of(name, record)));
        }
        if number < MOST_CHANGES {
            break;
        }
    }
    tenants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(JsonBody(TenantList { tenants }))
}

/// Makes a tenant.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "tenants",
    request_body = NewTenant,
    security(("bearer" = ["admin"])),
    responses((status = 201, body = TenantView, description = "it is made"))
)]
pub(super) async fn create(State(api): State<Api>, _: Operator, body: Body) -> Result<(StatusCode, JsonBody<TenantView>), Problem> {
    let NewTenant { name, change } = read_json(body, MAX_BODY, over).await?;
    let record = changed_record(&api, &name, &change, TenantRecord::new(Timestamp::now()))?;
    let snapshot = api.tenant_store.read(&name).await?;
    if snapshot.record.is_some() || !api.tenant_store.replace(&name, snapshot.revision, Some(&record)).await? {
        return Err(Problem::new(Code::TenantExists, format!("there is a tenant {name} already")));
    }
    changed(&api, &name).await;
    tracing::info!(tenant = %name, "made a tenant");
    Ok((StatusCode::CREATED, JsonBody(TenantView::of(name, record))))
}

fn changed_record(api: &Api, name: &Tenant, change: &TenantChange, before: TenantRecord) -> Result<TenantRecord, Problem> {
    let record =
        change.apply(name, before, api.secret_key.as_ref()).map_err(|error| Problem::new(Code::InvalidRecord, error.to_string()))?;
    record.check().map_err(|error| Problem::new(Code::InvalidRecord, error.to_string()))?;
    Ok(record)
}

/// A tenant's record.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    security(("bearer" = ["admin"])),
    responses((status = 200, body = TenantView, description = "the record"))
)]
pub(super) async fn show(State(api): State<Api>, _: Operator, TenantName(name): TenantName) -> Result<JsonBody<TenantView>, Problem> {
    let (_, record) = record(&api, &name).await?;
    Ok(JsonBody(TenantView::of(name, record)))
}

/// Changes some of a tenant's record; what is null goes back to what the node has for everybody.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    request_body = TenantChange,
    security(("bearer" = ["admin"])),
    responses((status = 200, body = TenantView, description = "the record now"))
)]
pub(super) async fn change(
    State(api): State<Api>,
    _: Operator,
    TenantName(name): TenantName,
    body: Body,
) -> Result<JsonBody<TenantView>, Problem> {
    let change: TenantChange = read_json(body, MAX_BODY, over).await?;
    for _ in 0..MAX_TRIES {
        let (revision, before) = record(&api, &name).await?;
        let record = changed_record(&api, &name, &change, before)?;
        if api.tenant_store.replace(&name, revision, Some(&record)).await? {
            changed(&api, &name).await;
            tracing::info!(tenant = %name, "changed a tenant");
            return Ok(JsonBody(TenantView::of(name, record)));
        }
    }
    Err(Problem::new(Code::Busy, format!("the record of tenant {name} is being changed by others: try again")))
}

/// Removes a tenant: its tokens, its requests that wait, and its record. Its modules stay; its results end with their time to live.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    security(("bearer" = ["admin"])),
    responses((status = 200, body = Deleted, description = "what was removed"))
)]
pub(super) async fn delete(State(api): State<Api>, _: Operator, TenantName(name): TenantName) -> Result<JsonBody<Deleted>, Problem> {
    let (revision, _) = record(&api, &name).await?;
    let is_its = |grant: &Grant| matches!(grant, Grant::Tenant { tenant, .. } if *tenant == name);
    let tokens: Vec<Digest> =
        api.gate.tokens().list().await?.into_iter().filter(|token| is_its(&token.grant)).map(|token| token.digest).collect();
    api.gate.tokens().remove(&tokens).await?;
    if !api.tenant_store.replace(&name, revision, None).await? {
        return Err(Problem::new(Code::Busy, format!("the record of tenant {name} is being changed by others: try again")));
    }
    changed(&api, &name).await;
    let requests = purge_all(&api, &name).await?;
    tracing::info!(tenant = %name, tokens = tokens.len(), requests, "deleted a tenant");
    Ok(JsonBody(Deleted { name, tokens: tokens.len(), requests }))
}

/// Takes notice here, and tells the other nodes; one that misses it notices within a second all the same.
async fn changed(api: &Api, tenant: &Tenant) {
    api.tenants.look_again();
    if let Err(error) = api.tenants.refresh().await {
        tracing::warn!(%error, "a change of a tenant takes effect a little later");
    }
    if let Err(error) = api.broker.reshare(tenant).await {
        tracing::warn!(%tenant, %error, "the broker does not know of a tenant's new share yet");
    }
    if let Err(error) = api.broker.broadcast(&Control::TenantChanged { tenant: tenant.clone() }).await {
        tracing::warn!(%error, "other nodes were not told of a change of a tenant");
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct UsageQuery {
    /// How many days; 30 where absent.
    #[param(minimum = 1, maximum = 400)]
    days: usize,
}

impl Default for UsageQuery {
    fn default() -> Self {
        Self { days: 30 }
    }
}

/// What a tenant used on each of the last days, today first.
#[utoipa::path(
    get,
    path = "/v1/usage",
    tag = "usage",
    params(UsageQuery),
    security(("bearer" = ["read"])),
    responses((status = 200, body = UsageView, description = "today first"))
)]
pub(super) async fn usage(
    State(api): State<Api>,
    Caller(tenant): Caller,
    Parameters(UsageQuery { days }): Parameters<UsageQuery>,
) -> Result<JsonBody<UsageView>, Problem> {
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::new(Code::MalformedQuery, format!("invalid days {days}: expected 1 to {MOST_DAYS}")));
    }
    let today = day_of(Timestamp::now());
    let before = |back: usize| i32::try_from(back).ok().and_then(|back| today.checked_sub(back.days()).ok());
    let dates: Vec<_> = (0..days).filter_map(before).collect();
    let sums = api.usage.read(&tenant, &dates).await?;
    let used = dates.into_iter().zip(sums).map(|(day, usage)| DayUsage { day, usage }).collect();
    Ok(JsonBody(UsageView { tenant, days: used }))
}

fn over() -> Problem {
    Problem::new(Code::OverBound, format!("the body is over {MAX_BODY} bytes"))
}
