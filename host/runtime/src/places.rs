//! How many guests may be alive at once on this node, running or waiting, and how much memory they may hold together: all of them,
//! and those of one tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mogbox_core::limits::{Bound, Limits, Unit, over_bound};
use mogbox_core::{Facts, Tenant};

use crate::aside::Aside;
use crate::engine::EngineSettings;
use crate::turns::Turns;

/// What the host keeps of a guest beside its memories, tables and stack, generously. Bytes.
const BOOKKEEPING: u64 = 64 << 10;

/// The places of a node.
#[derive(Debug)]
pub(crate) struct Places {
    max_guests: u32,
    each: u64,
    guests: AtomicU32,
    memory: Held,
    aside: Aside,
    turns: Turns,
    /// What the guests of each tenant hold that has any, and of some that had.
    tenants: Mutex<HashMap<Tenant, Arc<Held>>>,
}

/// Memory that guests hold together, and the most that they may. Bytes.
#[derive(Debug)]
struct Held {
    most: u64,
    bytes: AtomicU64,
}

/// One guest's place, free again when dropped, which is to be after the guest's memory is. What the guest may write to counts, not
/// what it wrote: it could do so at any time.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    share: Option<Share>,
    memory: AtomicU64,
}

/// What a tenant's guests hold together, seen from one of them.
#[derive(Debug)]
struct Share {
    tenant: Tenant,
    held: Arc<Held>,
    percent: u64,
}

/// Whose memory is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// That of all guests together.
    Node,
    /// That of the tenant's.
    Tenant,
}

/// What a guest may use before it asks for any memory. Bytes.
pub(crate) fn before_any_memory(settings: &EngineSettings) -> u64 {
    BOOKKEEPING.saturating_add(settings.guest_stack as u64)
}

/// The share of a node's memory for guests that one tenant's may hold. Bytes.
pub(crate) fn share_of(guest_memory: u64, limits: &Limits) -> u64 {
    let percent = limits.get(Bound::TenantMemory);
    (guest_memory / 100).saturating_mul(percent).saturating_add(guest_memory % 100 * percent / 100)
}

impl Held {
    fn new(most: u64) -> Self {
        Self { most, bytes: AtomicU64::new(0) }
    }

    fn grow(&self, bytes: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|held| *held <= self.most);
        self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    fn shrink(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// Threads that guests compute on where nobody says: one processor is left to the node's own work, and to a store beside it.
fn threads() -> usize {
    let workers = tokio::runtime::Handle::try_current().map(|runtime| runtime.metrics().num_workers());
    let workers = workers.unwrap_or_else(|_| std::thread::available_parallelism().map_or(1, usize::from));
    workers.saturating_sub(1).max(1)
}

impl Places {
    pub(crate) fn new(settings: &EngineSettings) -> Arc<Self> {
        Arc::new(Self {
            max_guests: settings.max_instances,
            each: before_any_memory(settings),
            guests: AtomicU32::new(0),
            memory: Held::new(settings.guest_memory),
            aside: Aside::new(),
            turns: Turns::new(settings.guest_threads.unwrap_or_else(threads)),
            tenants: Mutex::default(),
        })
    }

    /// A place for an attempt, which is one of its tenant's, or why there is none.
    pub(crate) fn take(self: &Arc<Self>, facts: &Facts) -> Result<Arc<Place>, String> {
        self.take_for(Some((&facts.tenant, &facts.limits)))
    }

    /// The turns that guests take to compute.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// A place for a guest that serves nobody's request: it counts for the node alone.
    pub(crate) fn take_for_nobody(self: &Arc<Self>) -> Result<Arc<Place>, String> {
        self.take_for(None)
    }

    fn take_for(self: &Arc<Self>, whose: Option<(&Tenant, &Limits)>) -> Result<Arc<Place>, String> {
        let another = |guests: u32| guests.checked_add(1).filter(|guests| *guests <= self.max_guests);
        if self.guests.fetch_update(Ordering::AcqRel, Ordering::Acquire, another).is_err() {
            return Err(format!("{} guests are alive on this node, which is all that it takes (max_instances)", self.max_guests));
        }
        let share = whose.and_then(|(tenant, limits)| self.enter(tenant, limits));
        let place = Arc::new(Place { places: Arc::clone(self), share, memory: AtomicU64::new(0) });
        match place.grow(self.each) {
            Ok(()) => Ok(place),
            Err(full) => Err(place.explain(full)),
        }
    }

    /// None where the tenant may use all that there is.
    fn enter(&self, tenant: &Tenant, limits: &Limits) -> Option<Share> {
        let most = share_of(self.memory.most, limits);
        if most == self.memory.most {
            return None;
        }
        let mut tenants = self.tenants();
        // At most half of them have a guest then, so that many come before this is looked at again.
        if tenants.len() >= 2 * self.max_guests as usize {
            tenants.retain(|_, held| Arc::strong_count(held) > 1);
        }
        let held = Arc::clone(tenants.entry(tenant.clone()).or_insert_with(|| Arc::new(Held::new(most))));
        Some(Share { tenant: tenant.clone(), held, percent: limits.get(Bound::TenantMemory) })
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Tenant, Arc<Held>>> {
        // Each change is one step, so the map is whole even after a panic elsewhere.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes so many bytes of the node's memory and of the tenant's share, or of neither.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), Full> {
        let share = self.share.as_ref().map(|share| &share.held);
        if share.is_some_and(|share| !share.grow(bytes)) {
            return Err(Full::Tenant);
        }
        if !self.places.memory.grow(bytes) {
            share.inspect(|share| share.shrink(bytes));
            return Err(Full::Node);
        }
        self.memory.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Gives so many bytes back, of those that this place took.
    pub(crate) fn shrink(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Ordering::AcqRel);
        self.places.memory.shrink(bytes);
        if let Some(share) = &self.share {
            share.held.shrink(bytes);
        }
    }

    /// Where what the guest says is checked if that takes long.
    pub(crate) fn aside(&self) -> &Aside {
        &self.places.aside
    }

    /// Why memory was refused.
    pub(crate) fn explain(&self, full: Full) -> String {
        let show = |held: &Held| Unit::Bytes.show(held.most);
        match (full, &self.share) {
            (Full::Tenant, Some(Share { tenant, held, percent })) => format!(
                "the guests of tenant {tenant} that are alive on this node may hold {} of memory together, and the rest of it does not \
                 suffice: {}",
                show(held),
                over_bound(Bound::TenantMemory, &Unit::Percent.show(*percent))
            ),
            _ => format!(
                "the guests alive on this node may hold {} of memory together, and the rest of it does not suffice (guest_memory)",
                show(&self.places.memory)
            ),
        }
    }
}

/// Memory that the host holds for a guest. Given back when dropped.
pub(crate) struct Charge {
    place: Arc<Place>,
    bytes: u64,
}

impl Charge {
    /// For a guest that has this place.
    pub(crate) fn none(place: &Arc<Place>) -> Self {
        Self { place: Arc::clone(place), bytes: 0 }
    }

    /// Takes more, or says why there is none.
    pub(crate) fn more(&mut self, bytes: u64) -> Result<(), String> {
        self.place.grow(bytes).map_err(|full| self.place.explain(full))?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.place.shrink(self.bytes);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shrink(self.memory.load(Ordering::Acquire));
        self.places.guests.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_holds_for_a_guest_counts_until_it_is_dropped() {
        let places = Places::new(&EngineSettings { guest_memory: 8 << 20, ..EngineSettings::default() });
        let place = places.take_for_nobody().unwrap();
        let mut held = Charge::none(&place);
        held.more(4 << 20).unwrap();
        assert!(held.more(4 << 20).unwrap_err().contains("guest_memory"));
        drop(held);
        Charge::none(&place).more(6 << 20).unwrap();
    }

    fn places(max_instances: u32, guest_memory: u64) -> Arc<Places> {
        Places::new(&EngineSettings { max_instances, guest_memory, ..EngineSettings::default() })
    }

    fn take(places: &Arc<Places>, tenant: &str) -> Result<Arc<Place>, String> {
        places.take_for(Some((&tenant.parse().unwrap(), &Limits::default())))
    }

    #[test]
    fn a_place_is_free_again_with_all_of_its_memory() {
        let places = places(2, 20 << 20);
        let place = take(&places, "a").unwrap();
        assert_eq!((place.grow(8 << 20), place.grow(8 << 20)), (Ok(()), Err(Full::Tenant)));
        place.shrink(1 << 20);
        drop(place);
        let bytes = |held: &Held| held.bytes.load(Ordering::Acquire);
        assert_eq!(
            (places.guests.load(Ordering::Acquire), bytes(&places.memory), bytes(&places.tenants()[&"a".parse().unwrap()])),
            (0, 0, 0)
        );
    }

    #[test]
    fn tenants_without_a_guest_are_forgotten_in_time() {
        let places = places(4, 1 << 30);
        let here = take(&places, "here").unwrap();
        here.grow(1 << 20).unwrap();
        for number in 0..100 {
            take(&places, &format!("t{number}")).unwrap();
        }
        assert!(places.tenants().len() <= 8);
        assert_eq!(places.tenants()[&"here".parse().unwrap()].bytes.load(Ordering::Acquire), (1 << 20) + places.each);
    }

    #[test]
    fn guests_are_bounded_in_number_and_in_memory() {
        let few = places(1, 10 << 20);
        let only = few.take_for_nobody().unwrap();
        assert!(few.take_for_nobody().unwrap_err().contains("(max_instances)"));
        drop(only);
        few.take_for_nobody().unwrap();
        let narrow = places(10, 1 << 20);
        let first = narrow.take_for_nobody().unwrap();
        let text = narrow.take_for_nobody().unwrap_err();
        assert!(text.contains("may hold 1MiB of memory together") && text.ends_with("(guest_memory)"), "{text}");
        drop(first);
        narrow.take_for_nobody().unwrap();
    }

    #[test]
    fn a_tenant_takes_its_share_and_leaves_the_rest_to_others() {
        let places = places(10, 20 << 20);
        let first = take(&places, "greedy").unwrap();
        first.grow(9 << 20).unwrap();
        let text = take(&places, "greedy").unwrap_err();
        let bound = "over the bound tenant-memory of 50%; a node started with --limit tenant-memory=VALUE raises it, up to 100%";
        assert!(text.contains("guests of tenant greedy") && text.contains("may hold 10MiB") && text.ends_with(bound), "{text}");
        let other = take(&places, "other").unwrap();
        other.grow(9 << 20).unwrap();
        assert_eq!(other.grow(1 << 20), Err(Full::Tenant));
        let third = take(&places, "third").unwrap();
        assert_eq!(third.grow(1 << 20), Err(Full::Node));
        drop(first);
        third.grow(1 << 20).unwrap();
    }

    #[test]
    fn a_share_is_exact_for_any_amount_of_memory() {
        let half = Limits::default();
        let all = Limits { tenant_memory: 100, ..Limits::default() };
        assert_eq!((share_of(199, &half), share_of(199, &all)), (99, 199));
        assert_eq!((share_of(u64::MAX, &half), share_of(u64::MAX, &all)), (u64::MAX / 2, u64::MAX));
    }
}
