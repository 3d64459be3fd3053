//! The worker of a node: takes deliveries from the broker, runs each in the sandbox, stores its result, settles it last.
//! Reads as Mognet's list of what a worker does: admit, run, classify, settle. Knows ports only.

mod admit;
pub mod capacity;
mod classify;
mod control;
mod exchange;
pub mod leases;
mod pipeline;
mod reconciler;
pub mod recorder;
mod revocations;
mod running;
mod settler;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::broker::Broker;
use crate::catalog::Catalog;
use crate::context::Services;
use crate::executor::{Executor, StopReason};
use crate::ids::NodeId;
use crate::outgoing::Fetch;
use crate::store::{ResultStore, StateStore};
use crate::submit::Submitter;
use crate::tenants::Tenants;
use crate::usage::Meter;
use capacity::Capacity;
use control::Listener;
use exchange::Exchange;
use leases::LeaseKeeper;
use pipeline::Pipeline;
use recorder::Recorder;
use revocations::Revocations;
use running::Running;
use settler::Settler;

/// Time after the drain's grace for results to be stored and deliveries to be settled.
const SETTLE_GRACE: Duration = Duration::from_secs(10);

/// How a worker is to behave.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// This node.
    pub node_id: NodeId,
    /// Requests run at once; those that wait for children come on top.
    pub concurrency: usize,
    /// Time that running guests get to finish at shutdown.
    pub drain_grace: Duration,
    /// Time that a revoked guest gets to finish.
    pub revoke_grace: Duration,
    /// An open result without a message is lost once it is as old as this.
    pub lost_after: Duration,
}

/// What a worker works with.
#[derive(Clone)]
pub struct Ports {
    /// Where requests come from.
    pub broker: Arc<dyn Broker>,
    /// Where results go.
    pub results: Arc<dyn ResultStore>,
    /// Where tasks keep their state.
    pub state: Arc<dyn StateStore>,
    /// Which module serves what.
    pub catalog: Arc<Catalog>,
    /// The sandbox.
    pub executor: Arc<dyn Executor>,
    /// Takes children in.
    pub submitter: Arc<Submitter>,
    /// What holds for each tenant.
    pub tenants: Arc<Tenants>,
    /// Where what is used is added up.
    pub meter: Arc<Meter>,
    /// Sends the requests of guests.
    pub fetch: Arc<dyn Fetch>,
}

/// A running worker. Stop it with [`Worker::shutdown`]; dropped without it, its attempts are stopped and their requests handed out
/// again by their leases.
pub struct Worker {
    running: Arc<Running>,
    draining: CancellationToken,
    drained: CancellationToken,
    attempts: TaskTracker,
    _exchange: AbortOnDropHandle<()>,
    revocations: AbortOnDropHandle<()>,
    reconciler: AbortOnDropHandle<()>,
    leases: LeaseKeeper,
    broker: Arc<dyn Broker>,
    drain_grace: Duration,
}

impl Worker {
    /// Starts to take deliveries. `leases` renews them off the threads that guests run on.
    #[must_use]
    pub fn start(settings: WorkerSettings, ports: Ports, leases: LeaseKeeper) -> Self {
        let capacity = Capacity::new(settings.concurrency);
        let running = leases.running();
        let (settler, settlements) = Settler::new();
        let services = Services {
            results: Arc::clone(&ports.results),
            recorder: Recorder::start(Arc::clone(&ports.results)),
            state: Arc::clone(&ports.state),
            submitter: Arc::clone(&ports.submitter),
            capacity: Arc::clone(&capacity),
            broker: Arc::clone(&ports.broker),
            meter: Arc::clone(&ports.meter),
            fetch: Arc::clone(&ports.fetch),
            node_id: settings.node_id.clone(),
        };
        let revocations = Arc::new(Revocations { ports: ports.clone(), running: Arc::clone(&running), grace: settings.revoke_grace });
        let listener = Listener {
            ports: ports.clone(),
            node_id: settings.node_id.clone(),
            running: Arc::clone(&running),
            revocations: Arc::clone(&revocations),
        };
        let (tenants, shifted_at) = (Arc::clone(&ports.tenants), Arc::clone(&ports.broker));
        let revocations = tokio::spawn(async move {
            tokio::join!(listener.run(), revocations.look(), tenants.watch(|shifted| control::reshare(&shifted_at, shifted)));
        });
        let reconciler = reconciler::watch(Arc::clone(&ports.results), Arc::clone(&ports.broker), settings.lost_after);
        let drain_grace = settings.drain_grace;
        let [draining, drained] = [CancellationToken::new(), CancellationToken::new()];
        let attempts = TaskTracker::new();
        let (broker, leaving) = (Arc::clone(&ports.broker), Arc::clone(&ports.broker));
        let pipeline = Arc::new(Pipeline { settings, ports, services, running: Arc::clone(&running), settler, draining: draining.clone() });
        let (taken, ended) = (draining.clone(), drained.clone());
        let exchange = Exchange { broker, capacity, pipeline, settlements, draining: taken, drained: ended, attempts: attempts.clone() };
        let [exchange, revocations, reconciler] =
            [tokio::spawn(exchange.run()), revocations, tokio::spawn(reconciler)].map(AbortOnDropHandle::new);
        Self { running, draining, drained, attempts, _exchange: exchange, revocations, reconciler, leases, broker: leaving, drain_grace }
    }

    /// Shuts down in two stages: takes no more deliveries and asks running guests to finish; after the grace time stops those
    /// that still run and gives their requests back. Returns when everything is settled, or cannot be within ten seconds.
    pub async fn shutdown(self) {
        self.draining.cancel();
        self.running.ask_all(StopReason::Draining);
        let ended = async {
            self.drained.cancelled().await;
            self.attempts.close();
            self.attempts.wait().await;
        };
        tokio::pin!(ended);
        if tokio::time::timeout(self.drain_grace, &mut ended).await.is_err() {
            self.running.force_all(StopReason::Draining);
            if tokio::time::timeout(SETTLE_GRACE, &mut ended).await.is_err() {
                tracing::warn!("some requests could not be given back; they are handed out again when their leases end");
            }
        }
        match tokio::time::timeout(SETTLE_GRACE, self.broker.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what lies ready for this node stays there"),
            Err(_) => tracing::warn!("what lies ready for this node stays there: the broker does not answer"),
        }
        self.revocations.abort();
        self.reconciler.abort();
        self.leases.stop().await;
    }
}
