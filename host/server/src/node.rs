//! The composition root: opens stores, broker and sandbox, starts the worker and the API on them, and ends them in order.

mod backends;
mod machine;
mod secrets;
mod signals;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use mogbox_core::catalog::Catalog;
use mogbox_core::submit::{Quotas, Submitter};
use mogbox_core::usage::Meter;
use mogbox_core::worker::leases::LeaseKeeper;
use mogbox_core::worker::{Ports, Worker, WorkerSettings};
use mogbox_core::{Grants, Isolation, Limits, NodeId, QueueName, Tenant, Tenants, Terms};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Api, Gate, MAX_WAITS, Turns};
use crate::outgoing::HttpClient;
pub(crate) use backends::Backends;
pub(crate) use signals::Signals;

/// Time that a revoked guest gets to finish.
const REVOKE_GRACE: Duration = Duration::from_secs(2);

/// How a node is to run: composed and checked once, by the command line.
pub(crate) struct NodeSettings {
    /// A loopback address, but where there are tokens.
    pub(crate) listen: SocketAddr,
    /// Where everything is kept.
    pub(crate) backend: Backend,
    /// The queues that it takes requests from.
    pub(crate) queues: Vec<QueueName>,
    /// Requests run at once.
    pub(crate) concurrency: usize,
    /// Memory of all guests together, in bytes; sized by the machine where absent.
    pub(crate) guest_memory: Option<u64>,
    pub(crate) guest_threads: Option<usize>,
    /// The folder of compiled modules, where they are kept.
    pub(crate) artifacts: Option<PathBuf>,
    /// The program that compiles modules; none compiles them in this process.
    pub(crate) compiler: Option<PathBuf>,
    /// The bounds.
    pub(crate) limits: Limits,
    /// Metadata keys that only guests of trusted tenants may write.
    pub(crate) protected: Vec<String>,
    /// What the tasks of every tenant are granted.
    pub(crate) grants: Grants,
    /// The file of the key that seals secrets.
    pub(crate) secret_key: Option<PathBuf>,
    /// The length of a lease.
    pub(crate) lease: Duration,
    /// Time that running requests get at shutdown.
    pub(crate) drain: Duration,
    /// How long a request without a message may be open.
    pub(crate) lost_after: Duration,
    /// Where attempts run.
    pub(crate) isolation: Isolation,
}

/// Where a node keeps everything.
pub(crate) enum Backend {
    /// In a folder of its own.
    Embedded(PathBuf),
    /// On a Redis server, by URL.
    Redis(String),
    /// On a Redis server, with requests from RabbitMQ.
    RabbitMq(RabbitMq),
}

/// Where requests of Mognet's clients come from.
pub(crate) struct RabbitMq {
    /// Of RabbitMQ.
    pub(crate) url: String,
    /// Where everything is kept, by URL.
    pub(crate) redis: String,
    /// Mognet's applications, which are tenants here.
    pub(crate) apps: Vec<Tenant>,
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// Where its address is taken, or its store, broker or sandbox cannot be opened.
pub(crate) async fn run(settings: NodeSettings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let listener = bind(settings.listen).await?;
    let address = listener.local_addr().context("cannot tell the address")?;
    let node_id = NodeId::random();
    let backends = Backends::open(&settings.backend, backends::broker_settings(&settings), &node_id).await?;
    check_access(&settings, &backends).await?;
    let place = backends.place.clone();
    let usage = Arc::clone(&backends.usage);
    let node = start(&settings, node_id.clone(), backends).await?;
    let meter = Arc::clone(&node.api.meter);
    let metering = tokio::spawn({
        let (meter, usage) = (Arc::clone(&meter), Arc::clone(&usage));
        async move { meter.run(usage.as_ref()).await }
    });
    let (draining, stopping) = (node.api.draining.clone(), node.api.stopping.clone());
    let serving = tokio::spawn(api::serve(listener, api::router(node.api), stopping.clone()));
    tell_ready(address, &place);
    tracing::info!(node = %node_id, %address, place, concurrency = settings.concurrency, "ready");
    let signal = signals.next().await;
    tracing::info!(signal, grace = ?settings.drain, "shutting down: no more requests are taken; a second signal stops at once");
    draining.cancel();
    signals.exit_at_next();
    node.worker.shutdown().await;
    metering.abort();
    meter.store(usage.as_ref()).await;
    stopping.cancel();
    serving.await.context("the API panicked")?;
    tracing::info!("stopped");
    Ok(())
}

/// A node that works, but does not answer yet.
struct Running {
    worker: Worker,
    api: Api,
}

async fn start(settings: &NodeSettings, node_id: NodeId, backends: Backends) -> anyhow::Result<Running> {
    let api = compose_api(settings, &backends)?;
    api.tenants.refresh().await.context("cannot read the records of tenants")?;
    let leases = LeaseKeeper::start(backends.lease_broker, settings.lease).await.context("cannot start to renew leases")?;
    let ports = Ports {
        broker: backends.broker,
        results: backends.results,
        state: backends.state,
        catalog: Arc::clone(&api.catalog),
        executor: Arc::clone(&api.executor),
        submitter: Arc::clone(&api.submitter),
        tenants: Arc::clone(&api.tenants),
        meter: Arc::clone(&api.meter),
        fetch: Arc::new(HttpClient::new()),
    };
    let worker = WorkerSettings {
        node_id,
        concurrency: settings.concurrency,
        drain_grace: settings.drain,
        revoke_grace: REVOKE_GRACE,
        lost_after: settings.lost_after,
    };
    Ok(Running { worker: Worker::start(worker, ports, leases), api })
}

fn compose_api(settings: &NodeSettings, backends: &Backends) -> anyhow::Result<Api> {
    let (results, broker) = (Arc::clone(&backends.results), Arc::clone(&backends.broker));
    let (records, shares, meter) = (Arc::clone(&backends.tenants), backends.shares.clone(), Arc::<Meter>::default());
    let protected = Arc::new(settings.protected.iter().cloned().collect());
    let mut ordinary = Terms::ordinary(settings.limits.clone(), protected);
    (ordinary.isolation, ordinary.grants) = (settings.isolation, settings.grants.clone());
    let secret_key = secrets::secret_key(settings)?;
    let tenants = Arc::new(Tenants::new(Arc::clone(&records), ordinary, shares, secret_key.clone()));
    let quotas = Quotas::new(Arc::clone(&broker), Arc::clone(&backends.usage), Arc::clone(&meter));
    let submitter = Submitter::of_tenants(Arc::clone(&backends.intake), Arc::clone(&tenants), Arc::clone(&meter)).with_quotas(quotas);
    Ok(Api {
        submitter: Arc::new(submitter),
        results,
        broker,
        catalog: Arc::new(Catalog::new(Arc::clone(&backends.modules))),
        executor: backends::sandbox(settings, Arc::clone(&backends.modules))?,
        limits: Arc::new(settings.limits.clone()),
        tenants,
        tenant_store: records,
        secret_key,
        usage: Arc::clone(&backends.usage),
        meter,
        gate: Arc::new(Gate::new(Arc::clone(&backends.tokens), !settings.listen.ip().is_loopback())),
        uploads: Arc::new(Turns::new()),
        waits: Arc::new(Semaphore::new(MAX_WAITS)),
        draining: CancellationToken::new(),
        stopping: CancellationToken::new(),
    })
}

/// The API of a node that has no worker, on the embedded store in a folder.
pub(crate) async fn open_api(folder: &Path, limits: Limits) -> anyhow::Result<Api> {
    let settings = NodeSettings {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        backend: Backend::Embedded(folder.to_owned()),
        queues: vec![QueueName::default()],
        concurrency: 1,
        guest_memory: None,
        guest_threads: None,
        artifacts: None,
        compiler: None,
        limits,
        protected: Vec::new(),
        grants: Grants::default(),
        secret_key: None,
        lease: Duration::from_secs(30),
        drain: Duration::ZERO,
        lost_after: Duration::from_secs(60),
        isolation: Isolation::Shared,
    };
    compose_api(&settings, &Backends::open(&settings.backend, backends::broker_settings(&settings), &NodeId::random()).await?)
}

/// Whoever reaches the API of a node without tokens may do everything, so that nobody else may reach it.
async fn check_access(settings: &NodeSettings, backends: &Backends) -> anyhow::Result<()> {
    if backends.tokens.count().await? > 0 {
        return Ok(());
    }
    if settings.listen.ip().is_loopback() {
        tracing::info!("there are no tokens: the API listens on this machine only, and whoever reaches it may do everything");
        return Ok(());
    }
    bail!(
        "cannot listen on {}: there are no tokens, and whoever reaches the API may run code; start the node on a loopback address such as \
         127.0.0.1:7777, make a token there with `mogbox tokens create --admin`, then start it again",
        settings.listen
    )
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{address} is taken, perhaps by another node: stop that one, or take another port with --listen 127.0.0.1:7778, \
             or any free one with --listen 127.0.0.1:0"
        ),
        _ => anyhow!(error).context(format!("cannot listen on {address}: try another address with --listen")),
    })
}

/// The one line on standard output, for people and for scripts that wait for it.
fn tell_ready(address: SocketAddr, place: &str) {
    let line = format!("mogbox is ready on http://{address} ({place})\n");
    let mut output = std::io::stdout().lock();
    if output.write_all(line.as_bytes()).and_then(|()| output.flush()).is_err() {
        tracing::debug!("nobody reads the standard output");
    }
}
