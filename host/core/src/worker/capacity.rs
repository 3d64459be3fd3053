//! How many requests a node takes on at once, and of whom. A request that waits for others lends its place, so that trees cannot deadlock.
//! Some places are always kept for tenants who have few, so that one who sends a request now and then need not wait until somebody
//! else's ends: nobody takes another while they hold seven times as many as are free, times their weight.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::broker::Wanted;
use crate::ids::Tenant;

/// How many places a tenant of weight 1 may hold for each that is free.
const SHARE: usize = 7;

/// Places on a node: those taken may exceed the limit for a while, when lent places are taken back.
pub struct Capacity {
    limit: usize,
    taken: AtomicUsize,
    freed: Notify,
    /// Places by whose requests have them; none has 0.
    held: Mutex<HashMap<Tenant, Held>>,
}

/// What a tenant holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    places: usize,
    weight: u32,
}

/// One taken place; free again when dropped.
pub struct Place {
    capacity: Arc<Capacity>,
    holder: Option<Tenant>,
}

/// A place lent to others; taken back when dropped.
pub struct Lent {
    capacity: Arc<Capacity>,
    tenant: Tenant,
    weight: u32,
}

impl Capacity {
    /// So many places.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: AtomicUsize::new(0), freed: Notify::new(), held: Mutex::default() })
    }

    /// How many places are free now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// What the free places, at most so many, are for. `kept` others are taken, but for nobody yet.
    #[must_use]
    pub fn wanted(&self, most: usize, kept: usize) -> Wanted {
        let now = self.free();
        let most = now.min(most);
        if most == 0 {
            return Wanted::any(0);
        }
        let free = now + kept;
        let full = |held: &Held| held.places >= free.saturating_mul(SHARE).saturating_mul(held.weight as usize);
        let not_of = self.held().iter().filter(|(_, held)| full(held)).map(|(tenant, _)| tenant.clone()).collect();
        Wanted { most, of_each: (free * SHARE).div_ceil(SHARE + 1), not_of }
    }

    /// Waits until at least one place is free, and says how many are. Only one caller may wait: it alone takes places.
    pub async fn some_free(&self) -> usize {
        loop {
            let freed = self.freed.notified();
            match self.free() {
                0 => freed.await,
                free => return free,
            }
        }
    }

    /// Takes a place, for nobody yet.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::AcqRel);
        Place { capacity: Arc::clone(self), holder: None }
    }

    /// Lends a place that the caller has taken for this tenant.
    #[must_use]
    pub fn lend(self: &Arc<Self>, tenant: &Tenant, weight: u32) -> Lent {
        self.leave(tenant);
        self.release();
        Lent { capacity: Arc::clone(self), tenant: tenant.clone(), weight }
    }

    fn release(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
        self.freed.notify_one();
    }

    fn enter(&self, tenant: &Tenant, weight: u32) {
        let mut held = self.held();
        match held.get_mut(tenant) {
            Some(held) => *held = Held { places: held.places + 1, weight },
            None => drop(held.insert(tenant.clone(), Held { places: 1, weight })),
        }
    }

    fn leave(&self, tenant: &Tenant) {
        let mut held = self.held();
        match held.get_mut(tenant) {
            Some(held) if held.places > 1 => held.places -= 1,
            _ => drop(held.remove(tenant)),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Tenant, Held>> {
        // Each change is one step, so the map is whole even after a panic elsewhere.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// It is this tenant's from now on, who has this weight.
    #[must_use]
    pub fn of(mut self, tenant: &Tenant, weight: u32) -> Self {
        self.capacity.enter(tenant, weight);
        self.holder = Some(tenant.clone());
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(tenant) = &self.holder {
            self.capacity.leave(tenant);
        }
        self.capacity.release();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.capacity.taken.fetch_add(1, Ordering::AcqRel);
        self.capacity.enter(&self.tenant, self.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_lent_place_can_be_taken_by_another_and_comes_back_over_the_limit() {
        let (capacity, tenant) = (Capacity::new(1), tenant("t"));
        let parent = capacity.take().of(&tenant, 1);
        assert_eq!(capacity.free(), 0);
        let lent = capacity.lend(&tenant, 1);
        assert_eq!(capacity.some_free().await, 1);
        let child = capacity.take().of(&tenant, 1);
        drop(lent);
        assert_eq!(capacity.free(), 0);
        drop(child);
        assert_eq!(capacity.free(), 0);
        drop(parent);
        assert_eq!(capacity.free(), 1);
        assert!(capacity.held().is_empty());
    }

    #[test]
    fn some_places_are_left_to_tenants_who_have_few() {
        let (capacity, [greedy, modest]) = (Capacity::new(128), [tenant("greedy"), tenant("modest")]);
        assert_eq!(capacity.wanted(1_000, 0), Wanted { most: 128, of_each: 112, not_of: Vec::new() });
        let mut places: Vec<Place> = (0..112).map(|_| capacity.take().of(&greedy, 1)).collect();
        assert_eq!(capacity.wanted(1_000, 0), Wanted { most: 16, of_each: 14, not_of: vec![greedy.clone()] });
        let kept: Vec<Place> = (0..10).map(|_| capacity.take()).collect();
        assert_eq!(capacity.wanted(1_000, kept.len()), Wanted { most: 6, of_each: 14, not_of: vec![greedy.clone()] });
        drop(kept);
        let other = capacity.take().of(&modest, 1);
        places.pop();
        assert_eq!(capacity.wanted(4, 0), Wanted { most: 4, of_each: 14, not_of: Vec::new() });
        drop((other, places));
        assert!(capacity.held().is_empty());
    }

    #[test]
    fn tenants_hold_places_by_their_weights() {
        let (capacity, tenants) = (Capacity::new(128), [("one", 1), ("two", 2), ("four", 4)].map(|(name, weight)| (tenant(name), weight)));
        let (mut places, held) = (Vec::new(), |tenant: &Tenant| capacity.held().get(tenant).map_or(0, |held| held.places));
        // They take turns as brokers hand out, as long as any of them may have another.
        loop {
            let wanted = capacity.wanted(1, 0);
            let takers = tenants.iter().filter(|(tenant, _)| wanted.most > 0 && !wanted.not_of.contains(tenant));
            let next = takers.min_by_key(|(tenant, weight)| 1_000 * held(tenant) / *weight as usize);
            let Some((tenant, weight)) = next else { break };
            places.push(capacity.take().of(tenant, *weight));
        }
        let held = tenants.each_ref().map(|(tenant, _)| held(tenant));
        assert!(held[0].abs_diff(18) <= 2 && held[1].abs_diff(36) <= 3 && held[2].abs_diff(71) <= 5, "{held:?}");
        assert!(capacity.free() > 0);
    }

    #[test]
    fn a_small_node_is_anybodys() {
        let (capacity, only) = (Capacity::new(2), tenant("only"));
        for _ in 0..2 {
            assert!(capacity.wanted(9, 0).not_of.is_empty() && capacity.wanted(9, 0).of_each >= 1);
            std::mem::forget(capacity.take().of(&only, 1));
        }
        assert_eq!(capacity.wanted(9, 0), Wanted::any(0));
    }
}
