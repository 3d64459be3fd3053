//! The attempts that run on this node now: their leases, for renewal, and their stops, for whoever must end them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::Lease;
use crate::executor::{Stop, StopReason};
use crate::ids::{RequestId, Tenant};

/// The attempts that run now, by lease.
#[derive(Default)]
pub struct Running {
    attempts: Mutex<HashMap<Lease, Entry>>,
}

struct Entry {
    stop: Stop,
    renewed: Instant,
}

/// An attempt's place in the registry; gone when dropped.
pub(crate) struct Entered {
    running: Arc<Running>,
    lease: Lease,
}

impl Running {
    /// Registers an attempt whose lease was granted just now.
    pub(crate) fn enter(self: &Arc<Self>, lease: &Lease, stop: Stop) -> Entered {
        self.entries().insert(lease.clone(), Entry { stop, renewed: Instant::now() });
        Entered { running: Arc::clone(self), lease: lease.clone() }
    }

    /// Every lease held now.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        self.entries().keys().cloned().collect()
    }

    /// Every request that runs now.
    pub(crate) fn requests(&self) -> Vec<(Tenant, RequestId)> {
        self.entries().keys().map(|lease| (lease.tenant.clone(), lease.id)).collect()
    }

    /// Notes that these leases were renewed by a call begun at `at`, but for those `lost`, whose attempts are stopped.
    pub(crate) fn renewed(&self, leases: &[Lease], lost: &[Lease], at: Instant) {
        let mut entries = self.entries();
        for lease in leases {
            match entries.get_mut(lease) {
                Some(entry) if lost.contains(lease) => entry.stop.force(StopReason::LeaseLost),
                Some(entry) => entry.renewed = at,
                None => {}
            }
        }
    }

    /// Stops every attempt whose lease was not renewed for so long: by now another node may hold its request.
    pub(crate) fn stop_overdue(&self, longest: Duration) {
        for entry in self.entries().values().filter(|entry| entry.renewed.elapsed() >= longest) {
            entry.stop.force(StopReason::LeaseLost);
        }
    }

    /// The stops of all attempts of one request; more than one only while an earlier one is being ended.
    pub(crate) fn stops_of(&self, tenant: &Tenant, id: RequestId) -> Vec<Stop> {
        let of_request = |lease: &Lease| lease.id == id && lease.tenant == *tenant;
        self.entries().iter().filter(|(lease, _)| of_request(lease)).map(|(_, entry)| entry.stop.clone()).collect()
    }

    /// Asks every attempt to finish soon.
    pub(crate) fn ask_all(&self, reason: StopReason) {
        self.entries().values().for_each(|entry| entry.stop.ask(reason));
    }

    /// Stops every attempt now.
    pub(crate) fn force_all(&self, reason: StopReason) {
        self.entries().values().for_each(|entry| entry.stop.force(reason));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Lease, Entry>> {
        // Each change of the map is one call, so it is whole even after a panic elsewhere.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.running.entries().remove(&self.lease);
    }
}
