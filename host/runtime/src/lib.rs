//! The sandbox: runs each attempt as a WebAssembly component of its own. The only crate that knows the engine and the WIT; it
//! knows no broker and no store but through the ports, and nothing of retries.

mod artifacts;
mod aside;
mod attempt;
mod bindings;
mod cache;
mod convert;
mod ends;
mod engine;
mod guest;
mod host;
mod inspect;
mod journal;
mod linker;
mod memory;
mod output;
mod places;
mod trap;
mod usage;

use std::sync::Arc;

use async_trait::async_trait;
use mogbox_core::limits::Limits;
use mogbox_core::module::TaskDescription;
use mogbox_core::{Attempt, Execution, Executor, ModuleStore, Rejected};

use crate::cache::ModuleCache;
use crate::places::Places;

pub use engine::{Allocation, EngineError, EngineSettings};
pub use inspect::check_kind;

/// Runs attempts as WebAssembly components. One a process.
pub struct Sandbox {
    cache: Arc<ModuleCache>,
    places: Arc<Places>,
}

impl Sandbox {
    /// Starts the engine and its clock. Modules come from `modules` when they are first needed.
    ///
    /// # Errors
    /// Where a setting is out of its range, or the machine refuses the memory.
    pub fn start(settings: &EngineSettings, modules: Arc<dyn ModuleStore>) -> Result<Self, EngineError> {
        let engine = engine::start(settings)?;
        let linker = linker::linker(&engine).map_err(|error| EngineError::Refused(format!("{error:#}")))?;
        Ok(Self { cache: ModuleCache::open(&engine, linker, modules, settings)?, places: Places::new(settings) })
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
        attempt::execute(&self.cache, &self.places, attempt).await
    }

    async fn inspect(&self, bytes: Arc<[u8]>, limits: &Limits) -> Result<Vec<TaskDescription>, Rejected> {
        inspect::inspect(&self.cache, &self.places, bytes, limits).await
    }
}
