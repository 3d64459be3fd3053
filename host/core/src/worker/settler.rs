//! Settles deliveries in batches: what ended while one call was under way goes with the next.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::broker::{Broker, Settlement};
use crate::retry::Backoff;

/// Most settlements of one call.
const BATCH: usize = 128;

/// Settlements that wait; beyond it, those that end wait too.
const WAITING: usize = 1_024;

/// Takes settlements.
#[derive(Clone)]
pub(super) struct Settler {
    sender: mpsc::Sender<Waiting>,
}

struct Waiting {
    settlement: Settlement,
    settled: oneshot::Sender<()>,
}

impl Settler {
    /// Starts the task that settles; it ends when every [`Settler`] is gone.
    pub(super) fn start(broker: Arc<dyn Broker>) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender }, tokio::spawn(settle(broker, receiver)))
    }

    /// Settles one delivery; returns when the broker has taken it.
    pub(super) async fn settle(&self, settlement: Settlement) {
        let (settled, taken) = oneshot::channel();
        // The other side is gone only when the worker was: then the lease runs out and the request is handed out again.
        if self.sender.send(Waiting { settlement, settled }).await.is_ok() {
            let _ = taken.await;
        }
    }
}

async fn settle(broker: Arc<dyn Broker>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut waiting, BATCH).await > 0 {
        let (settlements, settled): (Vec<_>, Vec<_>) = waiting.drain(..).map(|one| (one.settlement, one.settled)).unzip();
        let mut failures = 0;
        while let Err(error) = broker.settle(&settlements).await {
            failures += 1;
            tracing::warn!(%error, failures, "cannot settle deliveries; trying again");
            tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
        }
        // An attempt that no longer waits for the answer needs none.
        for one in settled {
            let _ = one.send(());
        }
    }
}
