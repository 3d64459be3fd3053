//! One request at a time: from its submission until whoever submitted it knows its result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mogbox_core::store::WaitMode;
use mogbox_core::submit::Submitter;
use mogbox_core::{QueueName, Request, ResultStore, State, Tenant};

use super::Bench;
use super::figures::{Row, quantile, row};
use super::ground::{Ground, submitter};
use crate::api::types::{NewRequest, RequestView, Submitted};
use crate::cli::client::{Client, request_path};
use crate::node::Backends;

/// Requests that go before, so that everything is in place.
const WARM: usize = 20;

/// A client that waits for what it submits.
#[derive(Clone)]
pub(super) enum Caller {
    /// Through the library: stores and broker are reached at once.
    Library(Arc<Submitter>, Arc<dyn ResultStore>, Tenant),
    /// Through a node's API.
    Http(Arc<Client>),
}

impl Caller {
    /// A client of the library.
    pub(super) fn library(ports: &Backends, tenant: Tenant) -> Self {
        Self::Library(Arc::new(submitter(ports)), Arc::clone(&ports.results), tenant)
    }

    /// A client of a node.
    pub(super) fn http(url: &str, tenant: Tenant) -> anyhow::Result<Self> {
        Ok(Self::Http(Arc::new(Client::new(url, Some(tenant), None)?)))
    }

    /// Submits a request and waits until it has gone well.
    pub(super) async fn run(&self, request: Request) -> anyhow::Result<()> {
        let id = request.id;
        let state = match self {
            Self::Library(submitter, results, tenant) => {
                submitter.submit(tenant, request, Duration::ZERO).await?;
                let found = results.wait(tenant, &[id], WaitMode::All).await?;
                found.into_iter().flatten().next().context("its result is gone")?.state
            }
            Self::Http(client) => {
                let client = Arc::clone(client);
                tokio::task::spawn_blocking(move || call(&client, request)).await??
            }
        };
        if state == State::Success { Ok(()) } else { bail!("request {id} is {state} where it should be SUCCESS") }
    }
}

fn call(client: &Client, request: Request) -> anyhow::Result<State> {
    let queue = request.queue_name.as_deref().map(str::parse::<QueueName>).transpose()?;
    let body = NewRequest {
        name: request.name,
        args: request.args,
        kwargs: request.kwargs,
        metadata: request.metadata,
        priority: None,
        deadline: None,
        queue,
        delay_ms: 0,
        id: Some(request.id),
        allow_unknown: false,
    };
    let submitted: Submitted = client.post("/v1/requests", &[], &body)?;
    let view: RequestView = client.get(&request_path(submitted.id, "/wait"), &[("seconds", "30"), ("fields", "value")])?;
    Ok(view.result.state)
}

/// Measures what one request takes.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let ground = bench.site.ground()?;
    let tenant = ground.tenant(0)?;
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, 1).await?;
    // An embedded store is the node's alone while that runs.
    let library = (!bench.site.is_embedded()).then(|| Caller::library(&ports, tenant.clone()));
    drop(ports);
    let node = ground.node(&bench.options()).await?;
    let mut rows = Vec::new();
    if let Some(library) = library {
        rows.extend(measure(bench, &ground, &library, "").await?);
    }
    rows.extend(measure(bench, &ground, &Caller::http(&node.url, tenant)?, "_http").await?);
    node.process.stop().await?;
    ground.clear().await?;
    Ok(rows)
}

async fn measure(bench: &Bench<'_>, ground: &Ground, caller: &Caller, suffix: &str) -> anyhow::Result<Vec<Row>> {
    let mut times = Vec::with_capacity(bench.settings.samples);
    for number in 0..WARM + bench.settings.samples {
        let started = Instant::now();
        caller.run(ground.request(&bench.guest.noop)).await?;
        if number >= WARM {
            times.push(started.elapsed());
        }
    }
    let row = |name: &str, part: f64| row(format!("latency_{name}{suffix}"), quantile(&mut times.clone(), part), "ms");
    Ok(vec![row("p50", 0.5), row("p99", 0.99)])
}
