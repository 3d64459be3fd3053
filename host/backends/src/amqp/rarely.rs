//! Keeps the log short where the same happens again and again: it is told once in a while, with how often it happened meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When something was told last, and how often it has happened since.
pub(super) struct Rarely {
    every: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl Rarely {
    /// Something that is told as often as this at most.
    pub(super) fn every(every: Duration) -> Self {
        Self { every, state: Mutex::default() }
    }

    /// It has happened: how many others there were that nobody was told of, where it is to be told now.
    pub(super) fn now(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, others) = *state;
        if told.is_some_and(|at| at.elapsed() < self.every) {
            state.1 = others + 1;
            return None;
        }
        *state = (Some(Instant::now()), 0);
        Some(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_the_next_ones_are_counted() {
        let rarely = Rarely::every(Duration::from_secs(3_600));
        assert_eq!([rarely.now(), rarely.now(), rarely.now()], [Some(0), None, None]);
        rarely.state.lock().unwrap().0 = None;
        assert_eq!(rarely.now(), Some(2));
    }
}
