//! How long the guests of a module took at a time of late: those of one that never takes long need no thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The longest that a guest holds a thread of the node's own work without being known as slow.
const QUICK: Duration = Duration::from_micros(100);

/// Turns that must be quick after one that was not.
const TO_FORGET: u32 = 64;

/// The pace of one module.
#[derive(Debug)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    /// Nothing is known until one turn was quick.
    pub(crate) fn unknown() -> Arc<Self> {
        Arc::new(Self(AtomicU32::new(1)))
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Notes how long a turn took. Two at once may count as one.
    pub(crate) fn note(&self, took: Duration) {
        let left = self.0.load(Ordering::Relaxed);
        if took > QUICK {
            self.0.store(TO_FORGET, Ordering::Relaxed);
        } else if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_turn_is_remembered_for_many_quick_ones() {
        let pace = Pace::unknown();
        assert!(!pace.is_quick());
        pace.note(QUICK);
        assert!(pace.is_quick());
        pace.note(2 * QUICK);
        for _ in 0..TO_FORGET {
            assert!(!pace.is_quick());
            pace.note(QUICK);
        }
        assert!(pace.is_quick());
    }
}
