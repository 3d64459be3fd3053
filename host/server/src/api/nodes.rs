//! `/v1/nodes`: what every node runs.

use std::time::Duration;

use axum::Json as JsonBody;
use axum::extract::State;
use mogbox_core::Tenant;
use mogbox_core::broker::NodeStatus;
use serde::Deserialize;

use super::access::Caller;
use super::extract::Parameters;
use super::problem::{Code, Problem};
use super::types::{NodeList, NodeView};
use super::{Api, too_many_waits};

/// Longest time that nodes get to answer.
const LONGEST: f64 = 30.0;

/// Results of one node that an answer shows.
const SHOWN: usize = 200;

/// How long nodes get to answer: `?seconds=N`, above 0 and up to 30, fractions allowed; 1 where absent.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Patience {
    /// How long nodes get to answer; 1 where absent.
    #[param(exclusive_minimum = 0, maximum = 30)]
    seconds: Option<f64>,
}

impl Patience {
    fn parse(&self) -> Result<Duration, Problem> {
        let seconds = self.seconds.unwrap_or(1.0);
        if seconds > 0.0 && seconds <= LONGEST {
            return Ok(Duration::from_secs_f64(seconds));
        }
        Err(Problem::new(Code::MalformedQuery, format!("cannot wait {seconds} seconds: expected above 0 and up to {LONGEST}")))
    }
}

/// Every node that answers, with the requests of the tenant that it runs.
#[utoipa::path(
    get,
    path = "/v1/nodes",
    tag = "nodes",
    params(Patience),
    security(("bearer" = ["read"])),
    responses((status = 200, body = NodeList, description = "the nodes that answered"))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Caller(tenant): Caller,
    Parameters(patience): Parameters<Patience>,
) -> Result<JsonBody<NodeList>, Problem> {
    let patience = patience.parse()?;
    let _permit = api.waits.try_acquire().map_err(|_| too_many_waits())?;
    let mut answers = api.broker.status(&tenant, patience).await?;
    answers.sort_by(|one, other| one.node_id.cmp(&other.node_id));
    let mut nodes = Vec::with_capacity(answers.len());
    for answer in answers {
        nodes.push(view(&api, &tenant, answer).await?);
    }
    Ok(JsonBody(NodeList { nodes }))
}

async fn view(api: &Api, tenant: &Tenant, NodeStatus { node_id, running_request_ids }: NodeStatus) -> Result<NodeView, Problem> {
    let shown = running_request_ids.get(..SHOWN).unwrap_or(&running_request_ids);
    let mut running: Vec<_> = match shown {
        [] => Vec::new(),
        ids => api.results.read(tenant, ids).await?.into_iter().flatten().collect(),
    };
    running.sort_by_key(|result| (result.created, result.id));
    let left_off = running_request_ids.len() - running.len();
    Ok(NodeView { node_id, running_requests: running, left_off })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_get_some_time_and_not_for_ever() {
        let patience = |seconds| Patience { seconds }.parse().map_err(|problem| problem.code);
        assert_eq!([None, Some(0.5), Some(30.0)].map(patience), [1_000, 500, 30_000].map(|ms| Ok(Duration::from_millis(ms))));
        assert_eq!([0.0, -1.0, 30.1, f64::NAN].map(|bad| patience(Some(bad))), [Err(Code::MalformedQuery); 4]);
    }
}
