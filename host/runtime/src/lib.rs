//! The sandbox: runs each attempt as a WebAssembly component of its own. The only crate that knows the engine and the WIT; it
//! knows no broker and no store but through the ports, and nothing of retries.

mod artifacts;
mod aside;
mod attempt;
mod bindings;
mod cache;
mod cells;
mod compiler;
mod confine;
mod convert;
mod ends;
mod engine;
mod guest;
mod host;
mod inside;
mod inspect;
mod journal;
mod link;
mod linker;
mod memory;
mod output;
mod places;
mod trap;
mod turns;
mod usage;

use std::sync::Arc;

use async_trait::async_trait;
use mogbox_core::limits::Limits;
use mogbox_core::module::Inspection;
use mogbox_core::{Attempt, Execution, Executor, Isolation, ModuleStore, Rejected};

use crate::cache::ModuleCache;
use crate::cells::Cells;
use crate::places::Places;

pub use cells::ProcessSettings;
pub use compiler::CompilerSettings;
pub use compiler::child::compile_child;
pub use engine::{Allocation, EngineError, EngineSettings};
#[cfg(debug_assertions)]
pub use inside::run_attempts_with;
pub use inside::{Deed, run_attempts};
pub use inspect::check_kind;

/// Runs attempts as WebAssembly components. One a process.
pub struct Sandbox {
    cache: Arc<ModuleCache>,
    places: Arc<Places>,
    cells: Cells,
}

impl Sandbox {
    /// Starts the engine and its clock. Modules come from `modules` when they are first needed.
    ///
    /// # Errors
    /// Where a setting is out of its range, or the machine refuses the memory.
    pub fn start(settings: &EngineSettings, modules: Arc<dyn ModuleStore>) -> Result<Self, EngineError> {
        let engine = engine::start(settings)?;
        let linker = linker::linker(&engine).map_err(|error| EngineError::Refused(format!("{error:#}")))?;
        let cache = ModuleCache::open(&engine, linker, modules, settings)?;
        Ok(Self { cache, places: Places::new(settings), cells: Cells::new(settings) })
    }

    /// How many modules were compiled so far, rather than found compiled.
    #[must_use]
    pub fn compilations(&self) -> u64 {
        self.cache.compiled()
    }
}

#[async_trait]
impl Executor for Sandbox {
    async fn execute(&self, attempt: Attempt) -> Execution {
        match attempt.context.isolation() {
            Isolation::Shared => attempt::execute(&self.cache, &self.places, attempt).await,
            Isolation::Process => cells::execute(&self.cells, &self.cache, &self.places, attempt).await,
        }
    }

    async fn inspect(&self, bytes: Arc<[u8]>, limits: &Limits) -> Result<Inspection, Rejected> {
        inspect::inspect(&self.cache, &self.places, bytes, limits).await
    }
}
