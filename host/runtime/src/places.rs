//! How many guests may be alive at once on this node, running or waiting, and how much memory they may hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use mogbox_core::limits::Unit;

use crate::engine::EngineSettings;

/// What the host keeps of a guest beside its memories, tables and stack, generously. Bytes.
const BOOKKEEPING: u64 = 64 << 10;

/// The places of a node.
#[derive(Debug)]
pub(crate) struct Places {
    max_guests: u32,
    max_memory: u64,
    each: u64,
    guests: AtomicU32,
    memory: AtomicU64,
}

/// One guest's place, free again when dropped, which is to be after the guest's memory is. What the guest may write to counts, not
/// what it wrote: it could do so at any time.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    memory: AtomicU64,
}

/// What a guest may use before it asks for any memory. Bytes.
pub(crate) fn before_any_memory(settings: &EngineSettings) -> u64 {
    BOOKKEEPING.saturating_add(settings.guest_stack as u64)
}

impl Places {
    pub(crate) fn new(settings: &EngineSettings) -> Arc<Self> {
        Arc::new(Self {
            max_guests: settings.max_instances,
            max_memory: settings.guest_memory,
            each: before_any_memory(settings),
            guests: AtomicU32::new(0),
            memory: AtomicU64::new(0),
        })
    }

    /// A place, or why there is none.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Arc<Place>, String> {
        let another = |guests: u32| guests.checked_add(1).filter(|guests| *guests <= self.max_guests);
        if self.guests.fetch_update(Ordering::AcqRel, Ordering::Acquire, another).is_err() {
            return Err(format!("{} guests are alive on this node, which is all that it takes (max_instances)", self.max_guests));
        }
        let place = Arc::new(Place { places: Arc::clone(self), memory: AtomicU64::new(0) });
        if place.grow(self.each) { Ok(place) } else { Err(self.no_memory_left()) }
    }

    fn no_memory_left(&self) -> String {
        let limit = Unit::Bytes.show(self.max_memory);
        format!("the guests alive on this node may hold {limit} of memory together, and the rest of it does not suffice (guest_memory)")
    }
}

impl Place {
    /// Takes so many bytes of the node's memory; false where there are not as many.
    pub(crate) fn grow(&self, bytes: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|held| *held <= self.places.max_memory);
        let granted = self.places.memory.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok();
        if granted {
            self.memory.fetch_add(bytes, Ordering::AcqRel);
        }
        granted
    }

    /// Gives so many bytes back, of those that this place took.
    pub(crate) fn shrink(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Ordering::AcqRel);
        self.places.memory.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Why the node refused memory.
    pub(crate) fn no_memory_left(&self) -> String {
        self.places.no_memory_left()
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

    fn places(max_instances: u32, guest_memory: u64) -> Arc<Places> {
        Places::new(&EngineSettings { max_instances, guest_memory, ..EngineSettings::default() })
    }

    #[test]
    fn a_place_is_free_again_with_all_of_its_memory() {
        let places = places(2, 10 << 20);
        let place = places.take().unwrap();
        assert!(place.grow(8 << 20) && !place.grow(8 << 20));
        place.shrink(1 << 20);
        drop(place);
        assert_eq!((places.guests.load(Ordering::Acquire), places.memory.load(Ordering::Acquire)), (0, 0));
    }

    #[test]
    fn guests_are_bounded_in_number_and_in_memory() {
        let few = places(1, 10 << 20);
        let only = few.take().unwrap();
        assert!(few.take().unwrap_err().contains("(max_instances)"));
        drop(only);
        few.take().unwrap();
        let narrow = places(10, 1 << 20);
        let first = narrow.take().unwrap();
        let text = narrow.take().unwrap_err();
        assert!(text.contains("may hold 1MiB of memory together") && text.ends_with("(guest_memory)"), "{text}");
        drop(first);
        narrow.take().unwrap();
    }
}
