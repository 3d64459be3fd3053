//! `/v1/requests`: submit, read, wait, revoke, tree.

use std::time::Duration;

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::State as FromState;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mogbox_core::revoke::revoke as revoke_tree;
use mogbox_core::store::WaitMode;
use mogbox_core::tree::{Extent, Tree, tree as read_tree};
use mogbox_core::{Bound, Request, RequestId, RequestResult, State, Tenant};
use serde::Deserialize;

use super::access::{Caller, Sender};
use super::extract::{FRAME, Parameters, Target, read_json};
use super::problem::{Code, Problem};
use super::suggest::unknown_task;
use super::types::{NewRequest, RequestView, Revoked, Submitted};
use super::{Api, limited, too_many_waits};

/// Longest wait of one call.
const LONGEST_WAIT: f64 = 60.0;

/// Longest delay of a request: results are kept for three weeks, and this leaves time to run and to be read.
const LONGEST_DELAY: Duration = Duration::from_hours(14 * 24);

/// Levels of a tree, and children of each request, that one call reads at most. JSON of more levels would not be read by all.
pub(crate) const DEEPEST: usize = 50;
pub(crate) const WIDEST: usize = 1_000;

/// Takes a request in.
#[utoipa::path(
    post,
    path = "/v1/requests",
    tag = "requests",
    request_body = NewRequest,
    security(("bearer" = ["submit"])),
    responses((status = 202, body = Submitted, description = "it is taken"))
)]
pub(super) async fn submit(FromState(api): FromState<Api>, Sender(tenant): Sender, body: Body) -> Result<Response, Problem> {
    let terms = api.tenants.terms(&tenant);
    let limits = &terms.limits;
    let limit = limits.length(Bound::Arguments).saturating_add(limits.length(Bound::Metadata)).saturating_add(FRAME);
    let new: NewRequest = read_json(body, limit, || limited(limits, Bound::Arguments)).await?;
    if !new.allow_unknown && api.catalog.serving(&tenant, &new.name).await?.is_none() {
        return Err(unknown_task(&tenant, &new.name, &api.catalog.modules(&tenant).await?.index));
    }
    let delay = Duration::from_millis(new.delay_ms);
    if delay > LONGEST_DELAY {
        return Err(Problem::new(Code::InvalidRequest, format!("a delay of {} ms is over the longest, 14 days", new.delay_ms)));
    }
    let name = new.name.clone();
    let id = api.submitter.submit(&tenant, request(new), delay).await?;
    let answer = (StatusCode::ACCEPTED, JsonBody(Submitted { id, name }));
    let location = HeaderValue::try_from(format!("/v1/requests/{id}?tenant={tenant}")).map_err(|error| Problem::internal(&error))?;
    Ok(([(header::LOCATION, location)], answer).into_response())
}

fn request(new: NewRequest) -> Request {
    let mut request = Request::new(new.name);
    request.id = new.id.unwrap_or(request.id);
    request.args = new.args;
    request.kwargs = new.kwargs;
    request.metadata = new.metadata;
    request.priority = new.priority.unwrap_or(request.priority);
    request.deadline = new.deadline;
    request.queue_name = new.queue.map(String::from);
    request
}

/// Which parts to read beside the result: `?fields=value,metadata`; all where absent.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Fields {
    /// Parts to read, with commas between them: some of value, metadata, children, report; all where absent.
    fields: Option<String>,
}

/// The parts of a view.
const PARTS: [&str; 4] = ["value", "metadata", "children", "report"];

impl Fields {
    fn parse(&self) -> Result<Vec<&str>, Problem> {
        let Some(fields) = &self.fields else { return Ok(PARTS.to_vec()) };
        let named: Vec<&str> = fields.split(',').filter(|field| !field.is_empty()).collect();
        match named.iter().find(|field| !PARTS.contains(field)) {
            None => Ok(named),
            Some(field) => {
                let shown: String = field.chars().take(80).collect();
                Err(Problem::new(Code::MalformedQuery, format!("unknown field {shown:?}: expected some of {}", PARTS.join(","))))
            }
        }
    }
}

/// Reads a request.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}",
    tag = "requests",
    params(Fields),
    security(("bearer" = ["read"])),
    responses((status = 200, body = RequestView, description = "the request"))
)]
pub(super) async fn read(
    FromState(api): FromState<Api>,
    Caller(tenant): Caller,
    Target(id): Target,
    Parameters(fields): Parameters<Fields>,
) -> Result<JsonBody<RequestView>, Problem> {
    let parts = fields.parse()?;
    let result = find(&api, &tenant, id).await?;
    view(&api, &tenant, result, &parts).await.map(JsonBody)
}

/// How long to wait: `?seconds=N`, 0 to 60, fractions allowed; 30 where absent.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitTime {
    /// How long to wait at most; 30 where absent.
    #[param(minimum = 0, maximum = 60)]
    seconds: Option<f64>,
}

impl WaitTime {
    fn parse(&self) -> Result<Duration, Problem> {
        let seconds = self.seconds.unwrap_or(30.0);
        if (0.0..=LONGEST_WAIT).contains(&seconds) {
            return Ok(Duration::from_secs_f64(seconds));
        }
        Err(Problem::new(Code::MalformedQuery, format!("cannot wait {seconds} seconds: expected 0 to {LONGEST_WAIT}")))
    }
}

/// Waits until a request is final, or so long, and reads it.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}/wait",
    tag = "requests",
    params(WaitTime, Fields),
    security(("bearer" = ["read"])),
    responses((status = 200, body = RequestView, description = "the request, done or not"))
)]
pub(super) async fn wait(
    FromState(api): FromState<Api>,
    Caller(tenant): Caller,
    Target(id): Target,
    Parameters(time): Parameters<WaitTime>,
    Parameters(fields): Parameters<Fields>,
) -> Result<JsonBody<RequestView>, Problem> {
    let (time, parts) = (time.parse()?, fields.parse()?);
    find(&api, &tenant, id).await?;
    let _permit = api.waits.try_acquire().map_err(|_| too_many_waits())?;
    let ids = [id];
    tokio::select! {
        waited = api.results.wait(&tenant, &ids, WaitMode::All) => drop(waited?),
        () = tokio::time::sleep(time) => {}
        () = api.stopping.cancelled() => {}
    }
    let result = find(&api, &tenant, id).await?;
    view(&api, &tenant, result, &parts).await.map(JsonBody)
}

/// Whether what a request that is done submitted is to be revoked as well: `?force=true`.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Force {
    /// Also what a request that is done submitted.
    #[serde(default)]
    force: bool,
}

/// Revokes a request with everything below it.
#[utoipa::path(
    post,
    path = "/v1/requests/{id}/revoke",
    tag = "requests",
    params(Force),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Revoked, description = "what became of it"))
)]
pub(super) async fn revoke(
    FromState(api): FromState<Api>,
    Sender(tenant): Sender,
    Target(id): Target,
    Parameters(Force { force }): Parameters<Force>,
) -> Result<JsonBody<Revoked>, Problem> {
    find(&api, &tenant, id).await?;
    let done = revoke_tree(api.results.as_ref(), api.broker.as_ref(), &tenant, id, force, &api.limits).await?;
    let state = done.before.filter(|before| before.is_final()).unwrap_or(State::Revoked);
    Ok(JsonBody(Revoked { id, state, revoked: done.revoked, complete: done.complete }))
}

/// How much of a tree to read: `?depth=N&width=N`; 3 levels and 16 children of each where absent, as Mognet's command line shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TreeExtent {
    /// Levels; 3 where absent.
    #[param(minimum = 1, maximum = 50)]
    depth: Option<usize>,
    /// Children of each request; 16 where absent.
    #[param(minimum = 1, maximum = 1000)]
    width: Option<usize>,
}

impl TreeExtent {
    fn parse(&self) -> Result<Extent, Problem> {
        let number = |name: &str, given: Option<usize>, absent: usize, most: usize| {
            let number = given.unwrap_or(absent);
            let wrong = || Problem::new(Code::MalformedQuery, format!("invalid {name} {number}: expected 1 to {most}"));
            (1..=most).contains(&number).then_some(number).ok_or_else(wrong)
        };
        Ok(Extent { depth: number("depth", self.depth, 3, DEEPEST)?, width: number("width", self.width, 16, WIDEST)? })
    }
}

/// Reads a request with what it submitted.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}/tree",
    tag = "requests",
    params(TreeExtent),
    security(("bearer" = ["read"])),
    responses((status = 200, body = Object, description = "the request as `result`, what it submitted as `children` of the same shape, and how many are `left_off`"))
)]
pub(super) async fn tree(
    FromState(api): FromState<Api>,
    Caller(tenant): Caller,
    Target(id): Target,
    Parameters(extent): Parameters<TreeExtent>,
) -> Result<JsonBody<Tree>, Problem> {
    let found = read_tree(api.results.as_ref(), &tenant, id, extent.parse()?).await?;
    found.map(JsonBody).ok_or_else(|| not_found(&tenant, id))
}

/// The result, or the problem that says there is none: the same for a request of another tenant.
async fn find(api: &Api, tenant: &Tenant, id: RequestId) -> Result<RequestResult, Problem> {
    let found = api.results.read(tenant, &[id]).await?.pop().flatten();
    found.ok_or_else(|| not_found(tenant, id))
}

/// No such request.
pub(super) fn not_found(tenant: &Tenant, id: RequestId) -> Problem {
    Problem::new(
        Code::RequestNotFound,
        format!("tenant {tenant} has no request {id}: check the tenant; what is done is kept for three weeks"),
    )
}

async fn view(api: &Api, tenant: &Tenant, result: RequestResult, parts: &[&str]) -> Result<RequestView, Problem> {
    let (id, results) = (result.id, &api.results);
    let is_final = result.state.is_final();
    let mut view = RequestView::of(result);
    if parts.contains(&"value") && is_final {
        view = view.with_value(results.value(tenant, id).await?);
    }
    if parts.contains(&"metadata") {
        view.metadata = results.metadata(tenant, id).await?;
    }
    if parts.contains(&"children") {
        view.children = Some(results.children(tenant, id).await?);
    }
    if parts.contains(&"report") {
        view.report = results.report(tenant, id).await?;
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parts_can_be_asked_for() {
        let fields = |text: &str| Fields { fields: Some(text.to_owned()) }.parse().map(|parts| parts.join("+")).map_err(|p| p.detail);
        assert_eq!(fields("value,metadata").unwrap(), "value+metadata");
        assert_eq!(fields("").unwrap(), "");
        assert_eq!(fields("value,vlaue").unwrap_err(), "unknown field \"vlaue\": expected some of value,metadata,children,report");
    }

    #[test]
    fn a_wait_is_bounded_and_no_number_at_all_is_refused() {
        let wait = |seconds| WaitTime { seconds: Some(seconds) }.parse();
        assert_eq!(wait(0.25).unwrap(), Duration::from_millis(250));
        for bad in [-1.0, 60.1, f64::NAN, f64::INFINITY] {
            assert_eq!(wait(bad).unwrap_err().code, Code::MalformedQuery, "{bad}");
        }
    }
}
