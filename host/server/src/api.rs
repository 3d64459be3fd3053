//! The HTTP API `/v1`: turns calls into calls of the ports and answers with JSON or a problem. Knows no backend, no sandbox, no
//! command line.

mod access;
mod dead_letters;
mod extract;
mod guard;
mod health;
mod listen;
mod metadata;
mod modules;
mod nodes;
mod openapi;
mod problem;
mod queues;
pub(crate) mod requests;
pub(crate) mod signature;
mod suggest;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod turns;
pub(crate) mod types;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use mogbox_core::catalog::Catalog;
use mogbox_core::config::SecretKey;
use mogbox_core::submit::Submitter;
use mogbox_core::tenants::TenantStore;
use mogbox_core::usage::{Meter, UsageStore};
use mogbox_core::{Bound, Broker, Executor, Limits, ResultStore, Tenants};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use access::Gate;
pub(crate) use guard::is_loopback;
pub(crate) use listen::serve;
pub(crate) use problem::{Code, Problem};
pub(crate) use turns::Turns;

/// Calls that wait for a request at once: some connections stay free for others, such as whoever asks whether the node lives.
pub(crate) const MAX_WAITS: usize = 900;

/// Longest time of an ordinary call.
const CALL_TIME: Duration = Duration::from_secs(150);

/// What the handlers reach. Clones share it.
#[derive(Clone)]
pub(crate) struct Api {
    /// Results, values, metadata.
    pub(crate) results: Arc<dyn ResultStore>,
    /// Control messages and the state of the broker.
    pub(crate) broker: Arc<dyn Broker>,
    /// Which module serves what.
    pub(crate) catalog: Arc<Catalog>,
    /// Checks uploads.
    pub(crate) executor: Arc<dyn Executor>,
    /// Takes requests in.
    pub(crate) submitter: Arc<Submitter>,
    /// The bounds of whoever has none of its own.
    pub(crate) limits: Arc<Limits>,
    /// What holds for each tenant.
    pub(crate) tenants: Arc<Tenants>,
    /// Tenants' records.
    pub(crate) tenant_store: Arc<dyn TenantStore>,
    /// Seals secrets, where there is a key.
    pub(crate) secret_key: Option<SecretKey>,
    /// What tenants used.
    pub(crate) usage: Arc<dyn UsageStore>,
    /// Where what is used is added up.
    pub(crate) meter: Arc<Meter>,
    /// Who may call.
    pub(crate) gate: Arc<Gate>,
    /// Turns of uploads.
    pub(crate) uploads: Arc<Turns>,
    /// Permits of waits.
    pub(crate) waits: Arc<Semaphore>,
    /// Cancelled when the node takes no more requests.
    pub(crate) draining: CancellationToken,
    /// Cancelled when the API ends: what waits answers at once.
    pub(crate) stopping: CancellationToken,
}

/// Every route, each with its description: none is added without one.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(modules::list))
        .routes(routes!(modules::upload, modules::show, modules::remove))
        .routes(routes!(modules::roll_back))
        .routes(routes!(requests::submit))
        .routes(routes!(requests::read))
        .routes(routes!(requests::wait))
        .routes(routes!(requests::revoke))
        .routes(routes!(requests::tree))
        .routes(routes!(metadata::list, metadata::patch))
        .routes(routes!(metadata::get, metadata::put))
        .routes(routes!(dead_letters::list))
        .routes(routes!(nodes::list))
        .routes(routes!(queues::list))
        .routes(routes!(queues::purge))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::change, tenants::delete))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::remove))
        .routes(routes!(tenants::usage))
        .routes(routes!(openapi::show))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// The API, served.
pub(crate) fn router(api: Api) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(api.limits.duration(Bound::CompileTime), in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(api.clone(), access::authenticate))
        .with_state(api)
}

async fn no_such_route(uri: Uri) -> Problem {
    let shown: String = uri.path().chars().take(80).collect();
    Problem::new(
        Code::NoSuchRoute,
        format!(
            "there is nothing at {shown:?}: the API is under /v1/requests, /v1/modules, /v1/queues, /v1/nodes, /v1/dead-letters, \
             /v1/usage, /v1/tenants and /v1/tokens; /v1/openapi.json describes it"
        ),
    )
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let shown: String = uri.path().chars().take(80).collect();
    Problem::new(Code::MethodNotAllowed, format!("{method} is not allowed at {shown:?}"))
}

/// A store that never answers holds no connection for ever. An upload may take its turn and compile beside that.
async fn in_time(State(compile_time): State<Duration>, request: Request, next: Next) -> Response {
    let is_upload = request.method() == Method::PUT && request.uri().path().starts_with("/v1/modules/");
    let time = if is_upload { CALL_TIME * 2 + compile_time } else { CALL_TIME };
    let late = |_| Problem::new(Code::Unavailable, format!("no answer within {} s", time.as_secs())).into_response();
    tokio::time::timeout(time, next.run(request)).await.unwrap_or_else(late)
}

fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    Problem::internal(&format!("panic: {}", text.unwrap_or("of unknown cause"))).into_response()
}

/// All permits of waits are taken.
fn too_many_waits() -> Problem {
    Problem::new(Code::TooManyWaits, format!("{MAX_WAITS} calls wait on this node already: ask again soon"))
}

/// Over a bound of the node.
fn limited(limits: &Limits, bound: Bound) -> Problem {
    Problem::new(Code::OverBound, limits.explain(bound))
}
