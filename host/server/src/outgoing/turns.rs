//! How many requests of one tenant a node sends at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mogbox_core::Tenant;
use mogbox_core::outgoing::FetchError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tenants that are remembered before those without a request are forgotten.
const MANY: usize = 1_024;

/// The right to send one request.
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// Gives tenants their turns.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Tenant, OfTenant>>);

struct OfTenant {
    most: usize,
    free: Arc<Semaphore>,
}

impl Turns {
    /// Waits for one of so many turns.
    pub(super) async fn take(&self, tenant: &Tenant, most: usize) -> Result<Arc<Turn>, FetchError> {
        let free = self.of(tenant, most);
        // Nobody closes it.
        let permit = free.acquire_owned().await.map_err(|_| FetchError::Failed("the node stops".into()))?;
        Ok(Arc::new(Turn { _permit: permit }))
    }

    fn of(&self, tenant: &Tenant, most: usize) -> Arc<Semaphore> {
        // Each change is one step, so the map is whole even after a panic elsewhere.
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MANY {
            tenants.retain(|_, of| Arc::strong_count(&of.free) > 1);
        }
        let fresh = || OfTenant { most, free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))) };
        let known = tenants.entry(tenant.clone()).or_insert_with(fresh);
        if known.most != most {
            *known = fresh();
        }
        Arc::clone(&known.free)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_tenant_waits_for_its_own_turns_and_for_nobody_elses() {
        let (turns, ours, theirs) = (Turns::default(), "ours".parse().unwrap(), "theirs".parse().unwrap());
        let first = turns.take(&ours, 2).await.unwrap();
        let _second = turns.take(&ours, 2).await.unwrap();
        assert!(turns.take(&ours, 2).now_or_never().is_none(), "a third of two");
        assert!(turns.take(&theirs, 2).now_or_never().is_some(), "another tenant's");
        drop(first);
        assert!(turns.take(&ours, 2).now_or_never().is_some());
    }

    #[tokio::test]
    async fn tenants_without_a_request_are_forgotten() {
        let turns = Turns::default();
        let busy: Tenant = "busy".parse().unwrap();
        let _held = turns.take(&busy, 1).await.unwrap();
        for number in 0..3 * MANY {
            turns.take(&format!("tenant-{number}").parse().unwrap(), 1).await.unwrap();
        }
        assert!(turns.0.lock().unwrap().len() <= MANY);
        assert!(turns.take(&busy, 1).now_or_never().is_none(), "one that is busy is not forgotten");
    }
}
