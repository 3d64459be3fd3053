//! `/v1/modules`: upload, list, show, roll back.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use mogbox_core::catalog::CatalogError;
use mogbox_core::module::ModuleIndex;
use mogbox_core::signature::{KeyId, PublicKey, Signature};
use mogbox_core::{Bound, Control, Digest, Limits, Tenant};
use serde::Deserialize;

use super::access::{Caller, Uploader};
use super::extract::{FRAME, ModuleName, Parameters, read_body};
use super::problem::{Code, Problem};
use super::signature::{Signed, check, check_known, check_presence};
use super::types::{DryRun, ModuleList, ModuleSummary, ModuleView, Removed, RollBack};
use super::{Api, limited};

/// How a module is uploaded.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// Checks and compiles it, and activates nothing.
    #[serde(default)]
    dry_run: bool,
    /// SHA-256 of the bytes: others are refused.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    digest: Option<Digest>,
}

/// Checks an uploaded component, stores it, and makes it the active version of its name, unless it was to be checked only.
#[utoipa::path(
    put,
    path = "/v1/modules/{name}",
    tag = "modules",
    params(UploadQuery, ("mogbox-signature" = Option<String>, Header, description = "Base64 of a .minisig file.")),
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component."),
    security(("bearer" = ["upload"])),
    responses((status = 201, body = ModuleSummary, description = "it is active"), (status = 200, body = DryRun, description = "it was checked only"))
)]
pub(super) async fn upload(
    State(api): State<Api>,
    Uploader(tenant): Uploader,
    ModuleName(name): ModuleName,
    Parameters(UploadQuery { dry_run, digest }): Parameters<UploadQuery>,
    Signed(signature): Signed,
    body: Body,
) -> Result<Response, Problem> {
    let terms = api.tenants.terms(&tenant);
    let (keys, limits) = (terms.signing_keys.clone(), &terms.limits);
    check_presence(&keys, signature.as_ref())?;
    let _turn = api.uploads.take(&tenant).await?;
    let over = || limited(limits, Bound::Module);
    let bytes: Arc<[u8]> = read_body(body, limits.length(Bound::Module), over).await?.into();
    check_digest(&bytes, digest).await?;
    let signed_by = signed_by(Arc::clone(&bytes), keys, signature).await?;
    let inspection = api.executor.inspect(Arc::clone(&bytes), limits).await?;
    if dry_run {
        let version = api.catalog.check(&tenant, &name, &bytes, inspection.tasks.clone()).await?;
        return Ok(JsonBody(DryRun::of(name, version, inspection)).into_response());
    }
    check_room(&api, &tenant, limits, &name, bytes.len()).await?;
    let version = api.catalog.activate(&tenant, &name, &bytes, inspection.tasks, signed_by).await?;
    tracing::info!(%tenant, module = name, digest = %version.digest.short(), tasks = version.tasks.len(), "activated a module");
    announce(&api, tenant).await;
    Ok((StatusCode::CREATED, JsonBody(ModuleSummary::of(&name, &version))).into_response())
}

/// Whether these are the bytes that were meant to be sent. An upload that broke off, or met with an error on its way, is sent again.
async fn check_digest(bytes: &Arc<[u8]>, expected: Option<Digest>) -> Result<(), Problem> {
    let Some(expected) = expected else { return Ok(()) };
    let bytes = Arc::clone(bytes);
    let arrived = tokio::task::spawn_blocking(move || Digest::of(&bytes)).await.map_err(|error| Problem::internal(&error))?;
    if arrived == expected {
        return Ok(());
    }
    Err(Problem::new(Code::DigestMismatch, format!("bytes of digest {arrived} arrived, expected {expected}: send them again")))
}

/// The key that signed an upload. A signature is of all bytes: what is large takes a while.
async fn signed_by(bytes: Arc<[u8]>, keys: Vec<PublicKey>, signature: Option<Signature>) -> Result<Option<KeyId>, Problem> {
    let checked = tokio::task::spawn_blocking(move || check(&bytes, &keys, signature.as_ref())).await;
    checked.map_err(|error| Problem::internal(&error))?
}

/// Whether the tenant may have one more version, or module, of so many bytes.
async fn check_room(api: &Api, tenant: &Tenant, limits: &Limits, name: &str, bytes: usize) -> Result<(), Problem> {
    let index = api.catalog.modules(tenant).await?.index;
    if !index.0.contains_key(name) && index.0.len() >= limits.length(Bound::Modules) {
        return Err(Problem::new(Code::TooManyModules, limits.explain(Bound::Modules)));
    }
    let kept: u64 = index.0.values().flat_map(|module| &module.versions).map(|version| version.size).sum();
    if kept.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)) > limits.module_bytes {
        return Err(limited(limits, Bound::ModuleBytes));
    }
    Ok(())
}

/// The active version of each module.
#[utoipa::path(
    get,
    path = "/v1/modules",
    tag = "modules",
    security(("bearer" = ["read"])),
    responses((status = 200, body = ModuleList, description = "by name"))
)]
pub(super) async fn list(State(api): State<Api>, Caller(tenant): Caller) -> Result<JsonBody<ModuleList>, Problem> {
    let snapshot = api.catalog.modules(&tenant).await?;
    let active = |(name, module): (&String, &mogbox_core::module::Module)| Some(ModuleSummary::of(name, module.active_version()?));
    Ok(JsonBody(ModuleList { modules: snapshot.index.0.iter().filter_map(active).collect() }))
}

/// A module with its versions.
#[utoipa::path(
    get,
    path = "/v1/modules/{name}",
    tag = "modules",
    security(("bearer" = ["read"])),
    responses((status = 200, body = ModuleView, description = "the module"))
)]
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
#[utoipa::path(
    post,
    path = "/v1/modules/{name}/roll-back",
    tag = "modules",
    request_body(content = Option<RollBack>, description = "Which version; the one before the active one where absent."),
    security(("bearer" = ["upload"])),
    responses((status = 200, body = ModuleSummary, description = "the version that is active now"))
)]
pub(super) async fn roll_back(
    State(api): State<Api>,
    Uploader(tenant): Uploader,
    ModuleName(name): ModuleName,
    body: Body,
) -> Result<JsonBody<ModuleSummary>, Problem> {
    let over = || Problem::new(Code::OverBound, format!("the body is over {FRAME} bytes"));
    let bytes = read_body(body, FRAME, over).await?;
    let wanted = if bytes.is_empty() { Ok(RollBack::default()) } else { serde_json::from_slice(&bytes) };
    let RollBack { to } = wanted.map_err(|error| Problem::new(Code::MalformedBody, error.to_string()))?;
    check_target(&api, &tenant, &name, to).await?;
    let digest = api.catalog.roll_back(&tenant, &name, to).await?;
    tracing::info!(%tenant, module = name, digest = %digest.short(), "rolled a module back");
    let snapshot = api.catalog.modules(&tenant).await?;
    announce(&api, tenant).await;
    let version = snapshot.index.0.get(&name).and_then(|module| module.versions.iter().find(|version| version.digest == digest));
    version
        .map(|version| JsonBody(ModuleSummary::of(&name, version)))
        .ok_or_else(|| Problem::new(Code::Busy, "others changed it meanwhile"))
}

/// What is removed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// The version, which is not the active one; the whole module where none is named.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    version: Option<Digest>,
}

/// Removes a module, or one of its versions that is not active. Requests that run go on.
#[utoipa::path(
    delete,
    path = "/v1/modules/{name}",
    tag = "modules",
    params(RemoveQuery),
    security(("bearer" = ["upload"])),
    responses((status = 200, body = Removed, description = "what was removed"))
)]
pub(super) async fn remove(
    State(api): State<Api>,
    Uploader(tenant): Uploader,
    ModuleName(name): ModuleName,
    Parameters(RemoveQuery { version }): Parameters<RemoveQuery>,
) -> Result<JsonBody<Removed>, Problem> {
    api.catalog.remove(&tenant, &name, version).await?;
    tracing::info!(%tenant, module = name, version = version.map(|digest| digest.short()), "removed a module, or a version of it");
    announce(&api, tenant).await;
    Ok(JsonBody(Removed { name, version }))
}

/// Refuses to go back to a version that the tenant's keys do not vouch for.
async fn check_target(api: &Api, tenant: &Tenant, name: &str, to: Option<Digest>) -> Result<(), Problem> {
    let keys = api.tenants.terms(tenant).signing_keys.clone();
    if keys.is_empty() {
        return Ok(());
    }
    let mut index = api.catalog.modules(tenant).await?.index;
    let digest = index.roll_back(name, to).map_err(CatalogError::from)?;
    let versions = index.0.get(name).into_iter().flat_map(|module| &module.versions);
    let signed_by = versions.filter(|version| version.digest == digest).find_map(|version| version.signed_by);
    check_known(signed_by, &keys)
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
