//! The one engine of a process, built from checked settings, and the clock that interrupts its guests. Knows no guest.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mogbox_core::limits::{Bound, Limits};
use wasmparser::WasmFeatures;
use wasmtime::{Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::cells::ProcessSettings;
use crate::compiler::CompilerSettings;
use crate::places;

/// The engine as receipts name it.
pub(crate) const ENGINE_NAME: &str = "wasmtime 48.0.8";

/// Frames of a trap's backtrace.
const MAX_FRAMES: usize = 24;

/// What one component may be made of; toolchains that link at build time need a dozen core instances and one memory.
const MAX_CORE_INSTANCES: u32 = 64;
const MAX_MEMORIES: u32 = 4;
const MAX_TABLES: u32 = 16;

/// Entries of one table: as many functions as the largest guest toolchains put there, and some.
const MAX_TABLE_ENTRIES: usize = 65_536;

/// Memory of all guests that one of them fits in. Bytes.
const LEAST_GUEST_MEMORY: u64 = 2 << 20;

/// Memory of a finished guest that is kept on the smallest machine: the pages that a small Rust guest touches. Bytes.
const LEAST_RESIDENT: usize = 64 << 10;

/// Bytes of a page of memory, for rounding.
const PAGE: u64 = 4 << 10;

/// Where guests' memories, tables and stacks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Reserved once, at the start: quick, and counted. Takes about 8 GiB of address space (not memory) for each guest.
    Pooling,
    /// Asked of the system for each guest: slower, for machines that limit address space.
    OnDemand,
}

/// How the sandbox is built. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSettings {
    /// Guests alive at once, running or waiting: 1 to 10,000.
    pub max_instances: u32,
    /// Memory that all guests alive may hold together, stacks included: at least 2 MiB. What a guest may write to counts, whether it
    /// did or not.
    pub guest_memory: u64,
    /// Threads that guests compute on: 1 to 1,024. One less than the node's own work has where absent, so that it has a processor.
    pub guest_threads: Option<usize>,
    /// Where their memory comes from.
    pub allocation: Allocation,
    /// Memory of a finished guest that is kept for the next one instead of being given back to the system: at most 64 MiB.
    pub keep_resident: usize,
    /// Stack that a guest's own calls may use: 64 KiB to 8 MiB.
    pub guest_stack: usize,
    /// Stack of host functions above it: 256 KiB to 8 MiB.
    pub host_stack: usize,
    /// How often a spinning guest is interrupted: 1 ms to 10 ms.
    pub tick: Duration,
    /// Compilations at once: 1 to 64.
    pub compilations: usize,
    /// What compiles modules in a process of its own. None compiles inside this one, without any bound: for modules that are trusted.
    pub compiler: Option<CompilerSettings>,
    /// Compiled modules kept: 1 to 100,000.
    pub cached_modules: usize,
    /// Machine code kept over all of them.
    pub cached_bytes: usize,
    /// The folder that keeps compiled modules over restarts; none keeps none. It becomes this user's alone.
    pub artifacts: Option<PathBuf>,
    /// Bytes of the files in that folder.
    pub artifact_bytes: u64,
    /// How processes are started that run attempts, for tenants whose attempts run in one.
    pub processes: ProcessSettings,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            max_instances: 10_000,
            guest_memory: 16 << 30,
            guest_threads: None,
            allocation: Allocation::Pooling,
            keep_resident: 512 << 10,
            guest_stack: 512 << 10,
            host_stack: 1 << 20,
            tick: Duration::from_millis(1),
            compilations: 2,
            compiler: None,
            cached_modules: 128,
            cached_bytes: 512 << 20,
            artifacts: None,
            artifact_bytes: 2 << 30,
            processes: ProcessSettings::default(),
        }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A setting is out of its range.
    #[error("invalid {name} {value}: expected {expected}")]
    Invalid {
        /// Which setting.
        name: &'static str,
        /// As given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The machine does not give what the settings ask for.
    #[error("the machine refuses the sandbox its memory: {0}; use fewer max_instances, or on-demand allocation")]
    Refused(String),
    /// Compiled modules cannot be kept where the settings say.
    #[error("cannot keep compiled modules in {}: {error}", folder.display())]
    Artifacts {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl EngineSettings {
    /// Settings for a machine with so many bytes of memory: five eighths of it are for guests, and at most one eighth is kept of
    /// those that finished, should all of them have been alive at once. The rest is the node's own and the system's.
    #[must_use]
    pub fn for_machine(memory: u64) -> Self {
        let defaults = Self::default();
        let guest_memory = (memory / 8 * 5).max(LEAST_GUEST_MEMORY);
        let kept = memory / 8 / u64::from(defaults.max_instances) / PAGE * PAGE;
        let keep_resident = usize::try_from(kept).unwrap_or(usize::MAX).clamp(LEAST_RESIDENT, defaults.keep_resident);
        Self { guest_memory, keep_resident, ..defaults }
    }

    /// Settings for a process that compiles and runs nothing: the code that comes out is that of any node.
    #[must_use]
    pub(crate) fn for_compiling() -> Self {
        Self { allocation: Allocation::OnDemand, ..Self::default() }
    }

    /// Memory that one guest can have within these bounds where no other is alive. Bytes.
    #[must_use]
    pub fn most_of_one_guest(&self, limits: &Limits) -> u64 {
        places::share_of(self.guest_memory, limits).saturating_sub(places::before_any_memory(self))
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Where one is out of its range.
    pub fn validate(&self) -> Result<(), EngineError> {
        let check = |fits: bool, name, value: &dyn std::fmt::Debug, expected| match fits {
            true => Ok(()),
            false => Err(EngineError::Invalid { name, value: format!("{value:?}"), expected }),
        };
        let milliseconds = Duration::from_millis(1)..=Duration::from_millis(10);
        check((1..=10_000).contains(&self.max_instances), "max_instances", &self.max_instances, "1 to 10000")?;
        check(self.guest_memory >= LEAST_GUEST_MEMORY, "guest_memory", &self.guest_memory, "at least 2 MiB")?;
        let threads = self.guest_threads.unwrap_or(1);
        check((1..=1_024).contains(&threads), "guest_threads", &threads, "1 to 1024")?;
        check(self.keep_resident <= 64 << 20, "keep_resident", &self.keep_resident, "at most 64 MiB")?;
        check((64 << 10..=8 << 20).contains(&self.guest_stack), "guest_stack", &self.guest_stack, "64 KiB to 8 MiB")?;
        check((256 << 10..=8 << 20).contains(&self.host_stack), "host_stack", &self.host_stack, "256 KiB to 8 MiB")?;
        check(milliseconds.contains(&self.tick), "tick", &self.tick, "1 ms to 10 ms")?;
        check((1..=64).contains(&self.compilations), "compilations", &self.compilations, "1 to 64")?;
        check((1..=100_000).contains(&self.cached_modules), "cached_modules", &self.cached_modules, "1 to 100000")?;
        check(self.cached_bytes > 0, "cached_bytes", &self.cached_bytes, "at least 1")
    }

    /// The engine's own configuration, for whoever compares the sandbox with the engine alone.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.max_wasm_stack(self.guest_stack);
        config.async_stack_size(self.guest_stack + self.host_stack);
        // No guest finds another's values on its stack, and what a deep recursion touched is given back.
        config.async_stack_zeroing(true);
        config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(MAX_FRAMES));
        leave_off_what_no_guest_needs(&mut config);
        if self.allocation == Allocation::Pooling {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()));
        }
        config
    }

    /// The engine's pool of memories, tables and stacks, as [`Self::config`] has it.
    #[must_use]
    pub fn pool(&self) -> PoolingAllocationConfig {
        pool(self)
    }
}

/// The engine, with its clock running. The clock ends with the last use of the engine.
pub(crate) fn start(settings: &EngineSettings) -> Result<Engine, EngineError> {
    settings.validate()?;
    let refused = |error: &dyn std::fmt::Display| EngineError::Refused(format!("{error:#}"));
    let engine = Engine::new(&settings.config()).map_err(|error| refused(&error))?;
    let (weak, tick) = (engine.weak(), settings.tick);
    let clock = std::thread::Builder::new().name("guest-clock".into());
    clock.spawn(move || tick_until_gone(&weak, tick)).map_err(|error| refused(&error))?;
    Ok(engine)
}

fn tick_until_gone(engine: &EngineWeak, tick: Duration) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        std::thread::sleep(tick);
    }
}

/// Each of these is code that a hostile guest could reach. What is not even compiled in (garbage collection, exceptions,
/// threads, component async) is named all the same where it can be.
fn leave_off_what_no_guest_needs(config: &mut Config) {
    config.shared_memory(false);
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    config.wasm_gc(false);
    config.wasm_stack_switching(false);
    config.wasm_custom_page_sizes(false);
    config.wasm_wide_arithmetic(false);
    config.wasm_shared_everything_threads(false);
    config.concurrency_support(false);
}

/// The language that the engine takes by that, for whoever looks at a component before it is compiled.
pub(crate) fn wasm_features() -> WasmFeatures {
    let left_off = WasmFeatures::GC_TYPES
        | WasmFeatures::GC
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::THREADS
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64;
    (WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL).difference(left_off)
}

/// How much of a finished guest's stack stays in memory: as much as a small task and the host functions it calls use.
const STACK_KEPT: usize = 32 << 10;

fn pool(settings: &EngineSettings) -> PoolingAllocationConfig {
    let guests = settings.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(guests);
    pool.total_stacks(guests);
    pool.total_core_instances(guests.saturating_mul(16).max(MAX_CORE_INSTANCES));
    pool.max_core_instances_per_component(MAX_CORE_INSTANCES);
    pool.total_memories(guests.saturating_mul(2).max(MAX_MEMORIES));
    pool.max_memories_per_component(MAX_MEMORIES);
    pool.total_tables(guests.saturating_mul(4).max(MAX_TABLES));
    pool.max_tables_per_component(MAX_TABLES);
    pool.max_tables_per_module(MAX_TABLES);
    pool.table_elements(MAX_TABLE_ENTRIES);
    pool.max_memory_size(usize::try_from(Bound::Memory.maximum()).unwrap_or(usize::MAX));
    pool.linear_memory_keep_resident(settings.keep_resident);
    pool.table_keep_resident(settings.keep_resident);
    pool.async_stack_keep_resident(STACK_KEPT);
    pool.pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_range_is_named_with_what_is_allowed() {
        let error = EngineSettings { max_instances: 0, ..EngineSettings::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "invalid max_instances 0: expected 1 to 10000");
        let error = EngineSettings { tick: Duration::ZERO, ..EngineSettings::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "invalid tick 0ns: expected 1 ms to 10 ms");
        EngineSettings::default().validate().unwrap();
    }

    #[test]
    fn settings_follow_the_memory_of_the_machine() {
        let large = EngineSettings::for_machine(64 << 30);
        assert_eq!((large.guest_memory, large.keep_resident), (40 << 30, 512 << 10));
        let middle = EngineSettings::for_machine(8 << 30);
        assert_eq!((middle.guest_memory, middle.keep_resident), (5 << 30, 104 << 10));
        let small = EngineSettings::for_machine(0);
        assert_eq!((small.guest_memory, small.keep_resident), (2 << 20, 64 << 10));
        small.validate().unwrap();
    }

    #[test]
    fn what_is_compiled_does_not_depend_on_what_one_node_may_set() {
        let hash = |settings: &EngineSettings| {
            let engine = Engine::new(&settings.config()).unwrap();
            let mut hasher = std::hash::DefaultHasher::new();
            std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
            std::hash::Hasher::finish(&hasher)
        };
        let node = EngineSettings { max_instances: 16, guest_stack: 8 << 20, host_stack: 8 << 20, ..EngineSettings::for_machine(8 << 30) };
        assert_eq!(hash(&node), hash(&EngineSettings::for_compiling()));
    }

    #[test]
    fn ten_thousand_guests_can_be_reserved() {
        start(&EngineSettings { max_instances: 10_000, ..EngineSettings::default() }).unwrap();
    }

    #[test]
    fn the_name_on_receipts_is_the_engine_that_is_built_in() {
        let (name, version) = ENGINE_NAME.split_once(' ').unwrap();
        let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(include_str!("../../../Cargo.lock").contains(&locked));
    }
}
