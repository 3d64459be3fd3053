//! The bound on a guest's memory, over all its memories and tables together, and its share of the node's.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::places::{Full, Place};

/// Bytes that an entry of a table takes.
const TABLE_ENTRY: usize = size_of::<usize>();

/// Core instances, memories and tables of one sandbox; the pool's own bounds by component are tighter.
const MAX_PARTS: usize = 1_000;

/// Memory of one sandbox. Bytes.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    limit: usize,
    held: usize,
    peak: usize,
    /// What the last growth added, in case the engine cannot carry it out.
    last: usize,
    denied: Option<Denied>,
    place: Arc<Place>,
}

/// Who refused a guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is over its own bound.
    Bound,
    /// It is not, but others together with it are over theirs.
    Full(Full),
}

impl MemoryMeter {
    pub(crate) fn new(limit: usize, place: Arc<Place>) -> Self {
        Self { limit, held: 0, peak: 0, last: 0, denied: None, place }
    }

    /// The most that was held.
    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }

    /// Who refused the guest memory first: what it does about it, mostly a crash, is owed to that.
    pub(crate) fn denied(&self) -> Option<Denied> {
        self.denied
    }

    /// Why the node refused memory that the guest's own bound allows, if it did so first.
    pub(crate) fn no_memory_left(&self) -> Option<String> {
        match self.denied {
            Some(Denied::Full(full)) => Some(self.place.explain(full)),
            Some(Denied::Bound) | None => None,
        }
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let granted = match self.held.checked_add(bytes).filter(|held| *held <= self.limit) {
            Some(held) => self.place.grow(bytes as u64).map(|()| held).map_err(Denied::Full),
            None => Err(Denied::Bound),
        };
        match granted {
            Ok(held) => (self.held, self.last) = (held, bytes),
            Err(denied) => (self.denied, self.last) = (self.denied.or(Some(denied)), 0),
        }
        granted.is_ok()
    }

    fn settle(&mut self) {
        self.peak = self.peak.max(self.held);
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = self.grow(desired.saturating_sub(current));
        self.settle();
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let last = std::mem::take(&mut self.last);
        self.held = self.held.saturating_sub(last);
        self.place.shrink(last as u64);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ENTRY));
        self.settle();
        Ok(allowed)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_grow_failed(error)
    }

    fn instances(&self) -> usize {
        MAX_PARTS
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineSettings;
    use crate::places::Places;

    fn meter(limit: usize, guest_memory: u64) -> MemoryMeter {
        let settings = EngineSettings { guest_memory, ..EngineSettings::default() };
        MemoryMeter::new(limit, Places::new(&settings).take_for_nobody().unwrap())
    }

    #[test]
    fn memories_and_tables_share_one_bound() {
        let mut meter = meter(1_000, 1 << 30);
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert_eq!(meter.denied(), None);
        assert!(!meter.table_growing(0, 100, None).unwrap());
        assert_eq!(meter.denied(), Some(Denied::Bound));
        assert!(meter.table_growing(0, 50, None).unwrap());
        assert_eq!(meter.peak(), 1_000);
    }

    #[test]
    fn a_growth_that_the_engine_could_not_carry_out_is_taken_back() {
        let mut meter = meter(1 << 20, 2 << 20);
        for _ in 0..10 {
            assert!(meter.memory_growing(0, 900 << 10, None).unwrap());
            meter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        }
        assert!(meter.memory_growing(0, 1 << 20, None).unwrap());
        assert_eq!(meter.denied(), None);
    }

    #[test]
    fn the_node_refuses_what_the_own_bound_allows() {
        let mut meter = meter(1 << 30, 2 << 20);
        assert!(!meter.memory_growing(0, 4 << 20, None).unwrap());
        assert_eq!(meter.denied(), Some(Denied::Full(Full::Node)));
        assert!(!meter.memory_growing(0, 2 << 30, None).unwrap());
        assert_eq!(meter.denied(), Some(Denied::Full(Full::Node)));
    }
}
