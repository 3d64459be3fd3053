//! How many requests a node takes on at once. A request that waits for others lends its place, so that trees cannot deadlock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Places on a node: those taken may exceed the limit for a while, when lent places are taken back.
pub struct Capacity {
    limit: usize,
    taken: AtomicUsize,
    freed: Notify,
}

/// One taken place; free again when dropped.
pub struct Place {
    capacity: Arc<Capacity>,
}

/// A place lent to others; taken back when dropped.
pub struct Lent {
    capacity: Arc<Capacity>,
}

impl Capacity {
    /// So many places.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// How many places are free now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.taken.load(Ordering::Acquire))
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

    /// Takes a place.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::AcqRel);
        Place { capacity: Arc::clone(self) }
    }

    /// Lends a place that the caller has taken.
    #[must_use]
    pub fn lend(self: &Arc<Self>) -> Lent {
        self.release();
        Lent { capacity: Arc::clone(self) }
    }

    fn release(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
        self.freed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.capacity.release();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.capacity.taken.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lent_place_can_be_taken_by_another_and_comes_back_over_the_limit() {
        let capacity = Capacity::new(1);
        let parent = capacity.take();
        assert_eq!(capacity.free(), 0);
        let lent = capacity.lend();
        assert_eq!(capacity.some_free().await, 1);
        let child = capacity.take();
        drop(lent);
        assert_eq!(capacity.free(), 0);
        drop(child);
        assert_eq!(capacity.free(), 0);
        drop(parent);
        assert_eq!(capacity.free(), 1);
    }
}
