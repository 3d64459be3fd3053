//! A node: a worker on a runtime of its own, so that it can die as a process does, from one moment to the next.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use mogbox_backends::broker::{BrokerSettings, Share};
use mogbox_core::Tenants;
use mogbox_core::broker::{Broker, Settlement, Verdict};
use mogbox_core::ids::NodeId;
use mogbox_core::intake::InTurn;
use mogbox_core::limits::Limits;
use mogbox_core::outgoing::NoFetch;
use mogbox_core::submit::Submitter;
use mogbox_core::worker::leases::LeaseKeeper;
use mogbox_core::worker::{Ports, Worker, WorkerSettings};
use tokio::runtime::{Builder, Runtime};

use crate::event::soon;
use crate::script::Script;
use crate::tap::{Hold, Renewals, Tapped, Taps};
use crate::world::{Backend, World};

/// How a node of a test differs from others.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) concurrency: usize,
    /// Requests in flight that the broker grants a tenant.
    pub(crate) in_flight: u32,
    pub(crate) limits: Limits,
    /// What the broker grants.
    pub(crate) lease: Duration,
    pub(crate) drain_grace: Duration,
    pub(crate) revoke_grace: Duration,
    pub(crate) lost_after: Duration,
    pub(crate) hold: Option<Hold>,
}

impl Default for Options {
    fn default() -> Self {
        let long = Duration::from_secs(30);
        Self {
            concurrency: 4,
            in_flight: 100,
            limits: Limits::default(),
            lease: long,
            drain_grace: long,
            revoke_grace: long,
            lost_after: Duration::from_secs(3_600),
            hold: None,
        }
    }
}

impl Options {
    /// With one place, and a lease that a test can wait out. Only for nodes that lose what they hold: with so short a lease, a busy
    /// machine loses it by itself.
    pub(crate) fn short_lease() -> Self {
        Self { concurrency: 1, lease: Duration::from_millis(900), ..Self::default() }
    }

    /// With one place, and a lease that is long enough to be kept and short enough to be seen to be kept.
    pub(crate) fn lease_of_two_seconds() -> Self {
        Self { lease: Duration::from_secs(2), ..Self::short_lease() }
    }
}

/// A running node. Dropped, it dies.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    taps: Arc<Taps>,
    worker: Option<Worker>,
    runtime: Option<Runtime>,
}

impl Node {
    pub(crate) async fn start(world: &World, script: &Arc<Script>, options: Options) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (id, taps) = (NodeId::random(), Arc::new(Taps::default()));
        *taps.hold.lock().unwrap() = options.hold.clone();
        let share = Share { in_flight: options.in_flight, ..Share::default() };
        let settings = BrokerSettings { queues: vec![world.queue.clone()], lease: options.lease, share, ..BrokerSettings::default() };
        let leases = renewing(world.backend.clone(), settings.clone(), Arc::clone(&taps)).await;
        let backend = world.backend.clone();
        let broker = runtime.spawn(async move { backend.broker(settings).await }).await.unwrap();
        let ports = ports(world, Arc::new(Tapped { broker, taps: Arc::clone(&taps) }), script, &options.limits);
        let Options { concurrency, drain_grace, revoke_grace, lost_after, .. } = options;
        let settings = WorkerSettings { node_id: id.clone(), concurrency, drain_grace, revoke_grace, lost_after };
        let worker = runtime.spawn(async move { Worker::start(settings, ports, leases) }).await.unwrap();
        Self { id, taps, worker: Some(worker), runtime: Some(runtime) }
    }

    /// Ends when the broker has taken so many settlements of this node; their verdicts.
    pub(crate) async fn settled(&self, number: usize) -> Vec<Verdict> {
        let mut settled = self.taps.settled.subscribe();
        let verdict = |settlement: &Settlement| settlement.verdict.clone();
        soon(settled.wait_for(|settled| settled.len() >= number)).await.unwrap().iter().map(verdict).collect()
    }

    /// What this node has settled.
    pub(crate) fn settlements(&self) -> Vec<Settlement> {
        self.taps.settled.borrow().clone()
    }

    /// Ends when the node listens to control messages.
    pub(crate) async fn listens(&self) {
        self.taps.listening.happened().await;
    }

    /// Ends when this node has renewed its leases so many times.
    pub(crate) async fn renewed(&self, times: usize) {
        soon(self.taps.renewed.subscribe().wait_for(|renewed| *renewed >= times)).await.unwrap();
    }

    pub(crate) fn renewals(&self, renewals: Renewals) {
        *self.taps.renewals.lock().unwrap() = renewals;
    }

    pub(crate) async fn shutdown(mut self) {
        soon(self.worker.take().unwrap().shutdown()).await;
    }

    /// Shuts down as far as that goes without waiting, then does `meanwhile`, then waits.
    pub(crate) async fn shutdown_and(mut self, meanwhile: impl FnOnce()) {
        let mut shutdown = std::pin::pin!(self.worker.take().unwrap().shutdown());
        assert!(futures::poll!(&mut shutdown).is_pending());
        meanwhile();
        soon(shutdown).await;
    }

    /// Drops the worker; its process lives on.
    pub(crate) fn drop_worker(&mut self) {
        self.worker = None;
    }

    pub(crate) fn dies(self) {
        drop(self);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn renewing(backend: Backend, settings: BrokerSettings, taps: Arc<Taps>) -> LeaseKeeper {
    let lease = settings.lease;
    let open = move || {
        let open = async move { Ok(Arc::new(Tapped { broker: backend.lease_broker(settings).await, taps }) as Arc<dyn Broker>) };
        open.boxed()
    };
    LeaseKeeper::start(open, lease).await.unwrap()
}

fn ports(world: &World, broker: Arc<dyn Broker>, script: &Arc<Script>, limits: &Limits) -> Ports {
    Ports {
        submitter: Arc::new(Submitter::new(Arc::new(InTurn::new(Arc::clone(&world.results), Arc::clone(&broker))), limits.clone())),
        broker,
        results: Arc::clone(&world.results),
        state: Arc::clone(&world.state),
        catalog: Arc::clone(&world.catalog),
        executor: Arc::clone(script) as _,
        tenants: Arc::new(Tenants::alike(limits.clone())),
        meter: Arc::default(),
        fetch: Arc::new(NoFetch),
    }
}
