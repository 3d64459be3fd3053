//! Counts host calls and their bytes against their bounds. Calls are counted as well as bytes: an empty call costs the host too.

use std::fmt;

use mogbox_core::limits::{Bound, Limits};

/// Host calls of one attempt.
#[derive(Debug)]
pub(crate) struct Usage {
    calls: u64,
    bytes: u64,
    max_calls: u64,
    max_bytes: u64,
}

/// What one copy from the guest may take beyond its bound: for the shape of what is copied, and for output and random bytes.
const COPY_SLACK: u64 = 256 << 10;

/// Bytes that one call, or what a task returns, may bring to the host: a quarter more than the largest legitimate one holds, so that
/// what is somewhat too large is answered with an error and not with the end of the attempt. The host holds as much for each guest, and
/// copies it at one go, however late it is.
pub(crate) fn largest_copy(limits: &Limits) -> usize {
    let child = limits.get(Bound::Arguments).saturating_add(limits.get(Bound::Metadata));
    let single = [Bound::Result, Bound::State, Bound::Log].map(|bound| limits.get(bound));
    let largest = single.into_iter().fold(child, u64::max);
    usize::try_from(largest.saturating_add(largest / 4).saturating_add(COPY_SLACK)).unwrap_or(usize::MAX)
}

/// Ends the attempt: it went over a bound of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBound(pub(crate) Bound);

impl fmt::Display for OverBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "over the bound {}", self.0)
    }
}

impl std::error::Error for OverBound {}

impl Usage {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { calls: 0, bytes: 0, max_calls: limits.get(Bound::HostCalls), max_bytes: limits.get(Bound::HostBytes) }
    }

    /// One call that brings `bytes` in.
    pub(crate) fn call(&mut self, bytes: usize) -> Result<(), OverBound> {
        self.calls = self.calls.saturating_add(1);
        self.answer(bytes)
    }

    /// `bytes` more, going out.
    pub(crate) fn answer(&mut self, bytes: usize) -> Result<(), OverBound> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.passed(0).map_or(Ok(()), |bound| Err(OverBound(bound)))
    }

    /// A call that cannot fail here; the next interruption of the guest asks [`Self::passed`].
    pub(crate) fn count_wasi_call(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// The bound that is passed, with bytes counted elsewhere.
    pub(crate) fn passed(&self, elsewhere: u64) -> Option<Bound> {
        if self.calls > self.max_calls {
            return Some(Bound::HostCalls);
        }
        (self.bytes.saturating_add(elsewhere) > self.max_bytes).then_some(Bound::HostBytes)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_bounded_by_the_largest_value_that_any_call_takes() {
        assert_eq!(largest_copy(&Limits::default()), (5 << 20) + (256 << 10));
        let limits = Limits { arguments: 16 << 20, metadata: 16 << 20, ..Limits::default() };
        assert_eq!(largest_copy(&limits), (40 << 20) + (256 << 10));
        assert_eq!(largest_copy(&Limits { host_bytes: u64::MAX, ..limits }), (40 << 20) + (256 << 10));
        assert_eq!(largest_copy(&Limits { state: u64::MAX, ..Limits::default() }), usize::MAX);
    }

    #[test]
    fn empty_calls_count_as_much_as_full_ones() {
        let limits = Limits { host_calls: 2, host_bytes: 10, ..Limits::default() };
        let mut usage = Usage::new(&limits);
        usage.call(0).unwrap();
        usage.call(10).unwrap();
        assert_eq!(usage.call(0), Err(OverBound(Bound::HostCalls)));
        let mut usage = Usage::new(&limits);
        usage.call(9).unwrap();
        assert_eq!(usage.answer(2), Err(OverBound(Bound::HostBytes)));
    }
}
