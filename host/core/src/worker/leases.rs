//! Keeps the leases of running attempts, on an OS thread and a runtime of its own: no guest can hold it up.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::running::Running;
use crate::broker::{Broker, BrokerError};
use crate::executor::StopReason;

/// Most leases of one call.
const BATCH: usize = 1_000;

/// The thread that renews leases.
pub struct LeaseKeeper {
    running: Arc<Running>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl LeaseKeeper {
    /// Starts the thread. `open` opens a broker inside the thread's runtime, so that its connection lives there too; `lease` is the
    /// length that this broker grants. Each lease is renewed three times within its length.
    ///
    /// # Errors
    /// Where the thread or its runtime cannot be made, or the broker cannot be opened.
    pub async fn start<F>(open: F, lease: Duration) -> Result<Self, BrokerError>
    where
        F: FnOnce() -> BoxFuture<'static, Result<Arc<dyn Broker>, BrokerError>> + Send + 'static,
    {
        let unavailable = |error: std::io::Error| BrokerError::Unavailable(format!("no thread to renew leases: {error}"));
        let running = Arc::new(Running::default());
        let stop = CancellationToken::new();
        let (opened, opening) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unavailable)?;
        let keeping = (Arc::clone(&running), stop.clone());
        let body = move || {
            runtime.block_on(async {
                match open().await {
                    Ok(broker) => {
                        // Nobody waits for the answer any more only where the start was given up.
                        let _ = opened.send(Ok(()));
                        keep(broker, keeping.0, keeping.1, lease).await;
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("mogbox-leases".into()).spawn(body).map_err(unavailable)?;
        opening.await.map_err(|_| BrokerError::Unavailable("the thread that renews leases ended".into()))??;
        Ok(Self { running, stop, thread: Some(thread) })
    }

    /// The registry of attempts whose leases it renews.
    #[must_use]
    pub fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running)
    }

    /// Ends the thread. Leases still held run out, so attempts that still run are stopped.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the thread that renews leases panicked");
            }
        }
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn keep(broker: Arc<dyn Broker>, running: Arc<Running>, stop: CancellationToken, lease: Duration) {
    tokio::select! {
        () = stop.cancelled() => running.force_all(StopReason::LeaseLost),
        () = renew_on_time(broker.as_ref(), &running, lease) => {}
        () = stop_overdue(&running, lease) => {}
    }
}

async fn renew_on_time(broker: &dyn Broker, running: &Running, lease: Duration) {
    let mut ticks = every(lease / 3);
    loop {
        ticks.tick().await;
        if tokio::time::timeout(lease / 4, renew(broker, running)).await.is_err() {
            tracing::warn!("the broker did not renew leases in time");
        }
    }
}

/// Looks often enough that an attempt is stopped before its lease ends, whether or not the broker answers.
async fn stop_overdue(running: &Running, lease: Duration) {
    let mut ticks = every(lease / 20);
    loop {
        ticks.tick().await;
        running.stop_overdue(lease - lease / 10);
    }
}

fn every(time: Duration) -> Interval {
    let mut ticks = tokio::time::interval(time);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn renew(broker: &dyn Broker, running: &Running) {
    let leases = running.leases();
    for batch in leases.chunks(BATCH) {
        let begun = Instant::now();
        match broker.extend(batch).await {
            Ok(lost) => running.renewed(batch, &lost, begun),
            Err(error) => tracing::warn!(%error, "cannot renew leases"),
        }
    }
}
