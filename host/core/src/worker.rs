//! The worker of a node: takes deliveries from the broker, runs each in the sandbox, stores its result, settles it last.
//! Reads as Mognet's list of what a worker does: admit, run, classify, settle. Knows ports only.

mod admit;
pub mod capacity;
mod classify;
pub mod leases;
mod pipeline;
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
use crate::limits::Limits;
use crate::retry::Backoff;
use crate::store::{ResultStore, StateStore};
use crate::submit::Submitter;
use capacity::Capacity;
use leases::LeaseKeeper;
use pipeline::Pipeline;
use running::Running;
use settler::Settler;

/// How long one call for deliveries waits: the longest that an idle node's shutdown takes.
const RECEIVE_WAIT: Duration = Duration::from_secs(1);

/// Most deliveries of one call.
const RECEIVE_BATCH: usize = 64;

/// Time after the drain's grace for results to be stored and deliveries to be settled.
const SETTLE_GRACE: Duration = Duration::from_secs(10);

/// How a worker is to behave.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// This node.
    pub node_id: NodeId,
    /// Requests run at once; those that wait for children come on top.
    pub concurrency: usize,
    /// The bounds of every attempt.
    pub limits: Limits,
    /// Time that running guests get to finish at shutdown.
    pub drain_grace: Duration,
    /// Time that a revoked guest gets to finish.
    pub revoke_grace: Duration,
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
}

/// A running worker. Stop it with [`Worker::shutdown`]; dropped without it, its attempts are stopped and their requests handed out
/// again by their leases.
pub struct Worker {
    running: Arc<Running>,
    receiving: CancellationToken,
    attempts: TaskTracker,
    receiver: AbortOnDropHandle<()>,
    revocations: AbortOnDropHandle<()>,
    settler: AbortOnDropHandle<()>,
    leases: LeaseKeeper,
    drain_grace: Duration,
}

impl Worker {
    /// Starts to take deliveries. `leases` renews them off the threads that guests run on.
    #[must_use]
    pub fn start(settings: WorkerSettings, ports: Ports, leases: LeaseKeeper) -> Self {
        let capacity = Capacity::new(settings.concurrency);
        let running = leases.running();
        let (settler, settling) = Settler::start(Arc::clone(&ports.broker));
        let services = Services {
            results: Arc::clone(&ports.results),
            state: Arc::clone(&ports.state),
            submitter: Arc::clone(&ports.submitter),
            capacity: Arc::clone(&capacity),
            broker: Arc::clone(&ports.broker),
            node_id: settings.node_id.clone(),
        };
        let watch = tokio::spawn(revocations::watch(ports.clone(), Arc::clone(&running), settings.revoke_grace));
        let drain_grace = settings.drain_grace;
        let receiving = CancellationToken::new();
        let attempts = TaskTracker::new();
        let broker = Arc::clone(&ports.broker);
        let pipeline =
            Arc::new(Pipeline { settings, ports, services, running: Arc::clone(&running), settler, draining: receiving.clone() });
        let intake = Intake { broker, capacity, pipeline, receiving: receiving.clone(), attempts: attempts.clone() };
        let [receiver, revocations, settler] = [tokio::spawn(intake.run()), watch, settling].map(AbortOnDropHandle::new);
        Self { running, receiving, attempts, receiver, revocations, settler, leases, drain_grace }
    }

    /// Shuts down in two stages: takes no more deliveries and asks running guests to finish; after the grace time stops those
    /// that still run and gives their requests back. Returns when everything is settled, or cannot be within ten seconds.
    pub async fn shutdown(self) {
        self.receiving.cancel();
        self.running.ask_all(StopReason::Draining);
        let ended = async {
            if self.receiver.await.is_err() {
                tracing::error!("the receiver of deliveries panicked");
            }
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
        self.revocations.abort();
        self.settler.abort();
        self.leases.stop().await;
    }
}

/// The loop that takes deliveries while there is a place for them.
struct Intake {
    broker: Arc<dyn Broker>,
    capacity: Arc<Capacity>,
    pipeline: Arc<Pipeline>,
    receiving: CancellationToken,
    attempts: TaskTracker,
}

impl Intake {
    async fn run(self) {
        let mut failures = 0;
        while let Some(free) = self.free_places().await {
            // The call is never cut short at shutdown: what it was handed out would wait for its lease to end.
            match self.broker.receive(free.min(RECEIVE_BATCH), RECEIVE_WAIT).await {
                Ok(deliveries) => {
                    failures = 0;
                    for delivery in deliveries {
                        let (pipeline, place) = (Arc::clone(&self.pipeline), self.capacity.take());
                        self.attempts.spawn(pipeline.process(delivery, place));
                    }
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, failures, "cannot receive requests; trying again");
                    tokio::select! {
                        () = tokio::time::sleep(Backoff::CALLS.wait(failures)) => {}
                        () = self.receiving.cancelled() => {}
                    }
                }
            }
        }
    }

    /// How many places are free, waiting for one; none once the worker shuts down.
    async fn free_places(&self) -> Option<usize> {
        tokio::select! {
            biased;
            () = self.receiving.cancelled() => None,
            free = self.capacity.some_free() => Some(free),
        }
    }
}
