//! Turns of uploads: each is large, and costly to compile, so that few are received at once and the others wait for theirs before they
//! send anything. No tenant has all turns, nor all connections, however many it lets wait or however slowly it sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mogbox_core::Tenant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Code, Problem};

/// Uploads that are received and compiled at once, and how many of them are of one tenant.
pub(crate) const MAX_UPLOADS: usize = 4;
const MAX_UPLOADS_OF_TENANT: usize = 2;

/// Uploads that are received or wait, of one tenant and of all.
const MAX_PRESENT_OF_TENANT: usize = 100;
const MAX_PRESENT: usize = 500;

/// The turns of a node.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    tenants: Arc<Mutex<HashMap<Tenant, Present>>>,
}

/// The uploads of a tenant that are there: how many, and which of them have the tenant's own turns.
struct Present {
    number: usize,
    own: Arc<Semaphore>,
}

/// The turn of one upload. It ends when this is dropped.
pub(super) struct Turn {
    _of_all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _place: Place,
}

/// Counts an upload as long as it is there.
struct Place {
    tenant: Tenant,
    tenants: Arc<Mutex<HashMap<Tenant, Present>>>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_UPLOADS)), tenants: Arc::default() }
    }

    /// Waits for a turn; refused where as many wait as may.
    pub(super) async fn take(&self, tenant: &Tenant) -> Result<Turn, Problem> {
        let (place, own) = self.enter(tenant)?;
        let closed = |error: tokio::sync::AcquireError| Problem::internal(&error);
        let own = own.acquire_owned().await.map_err(closed)?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.map_err(closed)?;
        Ok(Turn { _of_all: of_all, _own: own, _place: place })
    }

    fn enter(&self, tenant: &Tenant) -> Result<(Place, Arc<Semaphore>), Problem> {
        let mut tenants = locked(&self.tenants);
        let all: usize = tenants.values().map(|present| present.number).sum();
        let of_tenant = tenants.get(tenant).map_or(0, |present| present.number);
        for (found, most, whose) in [(of_tenant, MAX_PRESENT_OF_TENANT, " of this tenant"), (all, MAX_PRESENT, "")] {
            if found >= most {
                return Err(Problem::new(Code::TooManyWaits, format!("{found} uploads{whose} wait on this node already: try again soon")));
            }
        }
        let fresh = || Present { number: 0, own: Arc::new(Semaphore::new(MAX_UPLOADS_OF_TENANT)) };
        let present = tenants.entry(tenant.clone()).or_insert_with(fresh);
        present.number += 1;
        Ok((Place { tenant: tenant.clone(), tenants: Arc::clone(&self.tenants) }, Arc::clone(&present.own)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tenants = locked(&self.tenants);
        if let Some(present) = tenants.get_mut(&self.tenant) {
            present.number = present.number.saturating_sub(1);
            if present.number == 0 {
                tenants.remove(&self.tenant);
            }
        }
    }
}

/// Nothing panics while it is locked.
fn locked(tenants: &Mutex<HashMap<Tenant, Present>>) -> MutexGuard<'_, HashMap<Tenant, Present>> {
    tenants.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_tenant_has_half_of_all_turns_and_a_waiting_one_gets_the_next() {
        let turns = Turns::new();
        let (greedy, other) = (tenant("greedy"), tenant("other"));
        let first = turns.take(&greedy).await.unwrap();
        let second = turns.take(&greedy).await.unwrap();
        let mut third = Box::pin(turns.take(&greedy));
        assert!(third.as_mut().now_or_never().is_none());
        let others = [turns.take(&other).await.unwrap(), turns.take(&other).await.unwrap()];
        drop(first);
        let third = third.await.unwrap();
        drop((second, third, others));
        assert!(locked(&turns.tenants).is_empty(), "nothing is kept of who uploads nothing");
    }

    #[tokio::test]
    async fn so_many_uploads_wait_and_no_more() {
        let turns = Turns::new();
        let mut places: Vec<_> = (0..MAX_PRESENT_OF_TENANT).map(|_| turns.enter(&tenant("a")).unwrap()).collect();
        let refused = turns.take(&tenant("a")).await.err().unwrap();
        assert!(refused.code == Code::TooManyWaits && refused.detail.starts_with("100 uploads of this tenant wait"), "{refused:?}");
        for number in places.len()..MAX_PRESENT {
            places.push(turns.enter(&tenant(&format!("t{}", number / MAX_PRESENT_OF_TENANT))).unwrap());
        }
        let refused = turns.take(&tenant("late")).await.err().unwrap();
        assert!(refused.detail.starts_with("500 uploads wait on this node"), "{refused:?}");
        places.pop();
        turns.take(&tenant("late")).await.unwrap();
    }
}
