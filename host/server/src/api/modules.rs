//! `/v1/modules`: upload, list, show, roll back.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use mogbox_core::module::ModuleIndex;
use mogbox_core::{Bound, Control, Tenant};
use serde::Deserialize;

use super::extract::{Caller, FRAME, ModuleName, Parameters, read_body};
use super::problem::{Code, Problem};
use super::types::{DryRun, ModuleList, ModuleSummary, ModuleView, RollBack};
use super::{Api, limited};

/// How a module is uploaded: `?dry_run=true` checks it only.
#[derive(Deserialize)]
pub(super) struct UploadQuery {
    #[serde(default)]
    dry_run: bool,
}

/// Checks an uploaded component, stores it, and makes it the active version of its name, unless it was to be checked only.
pub(super) async fn upload(
    State(api): State<Api>,
    Caller(tenant): Caller,
    ModuleName(name): ModuleName,
    Parameters(UploadQuery { dry_run }): Parameters<UploadQuery>,
    body: Body,
) -> Result<Response, Problem> {
    // Uploads are large and their compilation costly: those beyond the permits wait before they send anything.
    let _permit = api.uploads.acquire().await.map_err(|error| Problem::internal(&error))?;
    let over = || limited(&api.limits, Bound::Module);
    let bytes: Arc<[u8]> = read_body(body, api.limits.length(Bound::Module), over).await?.into();
    let inspection = api.executor.inspect(Arc::clone(&bytes), &api.limits).await?;
    if dry_run {
        let version = api.catalog.check(&tenant, &name, &bytes, inspection.tasks.clone()).await?;
        return Ok(JsonBody(DryRun::of(name, version, inspection)).into_response());
    }
    let version = api.catalog.activate(&tenant, &name, &bytes, inspection.tasks).await?;
    tracing::info!(%tenant, module = name, digest = %version.digest.short(), tasks = version.tasks.len(), "activated a module");
    announce(&api, tenant).await;
    Ok((StatusCode::CREATED, JsonBody(ModuleSummary::of(&name, &version))).into_response())
}

/// The active version of each module.
pub(super) async fn list(State(api): State<Api>, Caller(tenant): Caller) -> Result<JsonBody<ModuleList>, Problem> {
    let snapshot = api.catalog.modules(&tenant).await?;
    let active = |(name, module): (&String, &mogbox_core::module::Module)| Some(ModuleSummary::of(name, module.active_version()?));
    Ok(JsonBody(ModuleList { modules: snapshot.index.0.iter().filter_map(active).collect() }))
}

/// A module with its versions.
pub(super) async fn show(
    State(api): State<Api>,
    Caller(tenant): Caller,
    ModuleName(name): ModuleName,
) -> Result<JsonBody<ModuleView>, Problem> {
    let snapshot = api.catalog.modules(&tenant).await?;
    let module = snapshot.index.0.get(&name).cloned().ok_or_else(|| no_module(&tenant, &name, &snapshot.index))?;
    Ok(JsonBody(ModuleView { name, active: module.active, versions: module.versions }))
}

/// Makes an earlier version active again.
pub(super) async fn roll_back(
    State(api): State<Api>,
    Caller(tenant): Caller,
    ModuleName(name): ModuleName,
    body: Body,
) -> Result<JsonBody<ModuleSummary>, Problem> {
    let over = || Problem::new(Code::OverBound, format!("the body is over {FRAME} bytes"));
    let bytes = read_body(body, FRAME, over).await?;
    let wanted = if bytes.is_empty() { Ok(RollBack::default()) } else { serde_json::from_slice(&bytes) };
    let RollBack { to } = wanted.map_err(|error| Problem::new(Code::MalformedBody, error.to_string()))?;
    let digest = api.catalog.roll_back(&tenant, &name, to).await?;
    tracing::info!(%tenant, module = name, digest = %digest.short(), "rolled a module back");
    let snapshot = api.catalog.modules(&tenant).await?;
    announce(&api, tenant).await;
    let version = snapshot.index.0.get(&name).and_then(|module| module.versions.iter().find(|version| version.digest == digest));
    version
        .map(|version| JsonBody(ModuleSummary::of(&name, version)))
        .ok_or_else(|| Problem::new(Code::Busy, "others changed it meanwhile"))
}

/// Tells the other nodes; one that misses it notices within a second all the same.
async fn announce(api: &Api, tenant: Tenant) {
    if let Err(error) = api.broker.broadcast(&Control::ModulesChanged { tenant }).await {
        tracing::warn!(%error, "other nodes were not told of a change of modules");
    }
}

fn no_module(tenant: &Tenant, name: &str, index: &ModuleIndex) -> Problem {
    let names: Vec<&str> = index.0.keys().take(20).map(String::as_str).collect();
    let known = if names.is_empty() { "it has none yet".to_owned() } else { format!("it has: {}", names.join(", ")) };
    Problem::new(Code::ModuleNotFound, format!("tenant {tenant} has no module {name:?}; {known}"))
}
