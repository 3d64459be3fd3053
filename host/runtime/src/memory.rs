//! The bound on a guest's memory, over all its memories and tables together.

use wasmtime::ResourceLimiter;

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
    denied: bool,
}

impl MemoryMeter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, held: 0, peak: 0, last: 0, denied: false }
    }

    /// The most that was held.
    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }

    /// Whether the guest was refused memory once: what it does about it, mostly a crash, is owed to the bound.
    pub(crate) fn denied(&self) -> bool {
        self.denied
    }

    fn grow(&mut self, bytes: usize) -> bool {
        match self.held.checked_add(bytes).filter(|held| *held <= self.limit) {
            Some(held) => {
                (self.held, self.last) = (held, bytes);
                true
            }
            None => {
                (self.denied, self.last) = (true, 0);
                false
            }
        }
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
        self.held = self.held.saturating_sub(std::mem::take(&mut self.last));
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

    #[test]
    fn memories_and_tables_share_one_bound() {
        let mut meter = MemoryMeter::new(1_000);
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert!(!meter.denied());
        assert!(!meter.table_growing(0, 100, None).unwrap());
        assert!(meter.denied());
        assert!(meter.table_growing(0, 50, None).unwrap());
        assert_eq!(meter.peak(), 1_000);
    }

    #[test]
    fn a_growth_that_the_engine_could_not_carry_out_is_taken_back() {
        let mut meter = MemoryMeter::new(1_000);
        assert!(meter.memory_growing(0, 900, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert!(meter.memory_growing(0, 1_000, None).unwrap());
        assert!(!meter.denied());
    }
}
