//! Where attempts leave what becomes of their deliveries, for the exchange with the broker to take along.

use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::capacity::Place;
use super::running::Entered;
use crate::broker::Settlement;

/// Settlements that wait; beyond it, those that end wait too.
const WAITING: usize = 1_024;

/// A settlement, with what is held until it is made: the place on the node until it is on its way, the lease until it is there.
pub(super) struct Settling {
    pub(super) settlement: Settlement,
    pub(super) place: Place,
    pub(super) held: Held,
}

/// What ends with a delivery.
pub(super) struct Held {
    _entered: Entered,
    _token: TaskTrackerToken,
}

impl Held {
    pub(super) const fn new(entered: Entered, token: TaskTrackerToken) -> Self {
        Self { _entered: entered, _token: token }
    }
}

/// Takes settlements.
#[derive(Clone)]
pub(super) struct Settler(mpsc::Sender<Settling>);

impl Settler {
    /// One who takes settlements, and where they come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Settling>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Leaves a settlement.
    pub(super) async fn settle(&self, settling: Settling) {
        // The other side is gone only when the worker was: then the lease runs out and the request is handed out again.
        let _ = self.0.send(settling).await;
    }
}
