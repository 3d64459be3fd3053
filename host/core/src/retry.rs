//! How long to wait before something is tried again: exponential, capped, with full jitter so that a herd spreads out.

use std::time::Duration;

use rand::RngExt as _;

/// A schedule of waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first wait.
    pub first: Duration,
    /// The longest wait of all.
    pub cap: Duration,
}

impl Backoff {
    /// Between attempts of a request.
    pub const ATTEMPTS: Self = Self { first: Duration::from_secs(1), cap: Duration::from_secs(60) };

    /// Between calls to a store or broker that does not answer.
    pub const CALLS: Self = Self { first: Duration::from_millis(50), cap: Duration::from_secs(5) };

    /// The longest wait before try number `try_` (from 1).
    #[must_use]
    pub fn ceiling(&self, try_: u32) -> Duration {
        let doubled = 2u32.saturating_pow(try_.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.cap)
    }

    /// A random wait before try number `try_` (from 1): anything up to [`Self::ceiling`].
    #[must_use]
    pub fn wait(&self, try_: u32) -> Duration {
        let micros = u64::try_from(self.ceiling(try_).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(rand::rng().random_range(0..=micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_never_pass_it() {
        let seconds: Vec<u64> = (1..=8).map(|n| Backoff::ATTEMPTS.ceiling(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(Backoff::ATTEMPTS.ceiling(u32::MAX), Duration::from_secs(60));
        assert!((1..100).all(|n| Backoff::CALLS.wait(n) <= Backoff::CALLS.cap));
    }
}
