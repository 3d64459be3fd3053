//! What tenants may use of the queues, as it stands now: brokers ask here, and it changes while they run.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::ids::Tenant;

/// The largest weight.
pub const MOST_WEIGHT: u32 = 10_000;

/// What a tenant may use of each queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Requests in flight at the same time, over all nodes. None of a tenant with 0 are handed out.
    pub in_flight: u32,
    /// Its part where there is more work than nodes can do, in proportion to the others' weights.
    pub weight: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { in_flight: 1_000, weight: 1 }
    }
}

impl Share {
    /// A part of nothing would never be served, and cost is divided by weight.
    fn weighted(self) -> Self {
        Self { weight: self.weight.clamp(1, MOST_WEIGHT), ..self }
    }
}

/// The shares of tenants that have one of their own. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shares(Arc<RwLock<HashMap<Tenant, Share>>>);

impl Shares {
    /// A tenant's own share, where it has one.
    #[must_use]
    pub fn of(&self, tenant: &Tenant) -> Option<Share> {
        self.read().get(tenant).copied()
    }

    /// The tenants that have one.
    #[must_use]
    pub fn tenants(&self) -> Vec<Tenant> {
        self.read().keys().cloned().collect()
    }

    /// Gives a tenant a share of its own, or takes it away. Returns whether that changed anything.
    pub fn set(&self, tenant: &Tenant, share: Option<Share>) -> bool {
        let share = share.map(Share::weighted);
        let mut shares = self.write();
        let before = match share {
            Some(share) => shares.insert(tenant.clone(), share),
            None => shares.remove(tenant),
        };
        before != share
    }

    // Each change is one entry of a map, so that it is whole even after a panic elsewhere.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Tenant, Share>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Tenant, Share>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromIterator<(Tenant, Share)> for Shares {
    fn from_iter<T: IntoIterator<Item = (Tenant, Share)>>(shares: T) -> Self {
        Self(Arc::new(RwLock::new(shares.into_iter().map(|(tenant, share)| (tenant, share.weighted())).collect())))
    }
}
