//! How long the guests of a module took at a time of late: those of one that never takes long need no thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The longest that a guest holds a thread of the node's own work without being known as slow.
const QUICK: Duration = Duration::from_micros(100);

/// What a turn that was not counts for, against one for each that was: one now and then may be the machine's doing.
const SLOW: u32 = 64;

/// The pace of one module.
#[derive(Debug)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    /// Nothing is known until one turn was quick.
    pub(crate) fn unknown() -> Arc<Self> {
        Arc::new(Self(AtomicU32::new(SLOW + 1)))
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= SLOW
    }

    /// Notes how long a turn took. Two at once may count as one.
    pub(crate) fn note(&self, took: Duration) {
        let slow = self.0.load(Ordering::Relaxed);
        if took > QUICK {
            self.0.store((slow + SLOW).min(2 * SLOW), Ordering::Relaxed);
        } else if slow > 0 {
            self.0.store(slow - 1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_turns_are_remembered_for_many_quick_ones_and_a_single_one_is_not() {
        let pace = Pace::unknown();
        assert!(!pace.is_quick());
        pace.note(QUICK);
        assert!(pace.is_quick());
        for _ in 0..SLOW {
            pace.note(QUICK);
        }
        pace.note(2 * QUICK);
        assert!(pace.is_quick());
        pace.note(2 * QUICK);
        for _ in 0..SLOW {
            assert!(!pace.is_quick());
            pace.note(QUICK);
        }
        assert!(pace.is_quick());
    }
}
