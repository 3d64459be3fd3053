//! The cells of a node: processes that run attempts, each for one tenant alone. One is started when an attempt needs it, and ended when
//! it had nothing to do for a while or its place is needed for another. Knows no guest; what a cell says is believed by nobody.

mod attempt;
mod cell;
mod check;
mod starter;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mogbox_core::limits::Bound;
use mogbox_core::{Facts, Limits, Tenant};

use self::cell::Cell;
use self::starter::Starter;
use crate::engine::{Allocation, EngineSettings};
use crate::inside::CellSettings;
use crate::link;

pub(crate) use attempt::execute;

/// Memory of a cell for everything but its guests: the engine, compiled modules, and what goes to the node and comes from it. Bytes.
const BASE_MEMORY: u64 = 512 << 20;

/// Memory of a finished guest that a cell keeps for the next one. Bytes.
const KEEP_RESIDENT: usize = 64 << 10;

/// How processes that run attempts are started, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSettings {
    /// The program; it calls [`crate::run_attempts`] when it is started with the argument below and one more.
    pub program: PathBuf,
    /// Its first argument.
    pub argument: OsString,
    /// Processes at once, of all tenants together.
    pub most: usize,
    /// Guests alive in each at once.
    pub guests: u32,
    /// How long one lives that has nothing to do.
    pub keep: Duration,
    /// Time after the end of an attempt's own until its process is ended for it.
    pub grace: Duration,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            // The very file that this process runs, whatever has its name by now.
            program: "/proc/self/exe".into(),
            argument: "run-attempts".into(),
            most: 64,
            guests: 64,
            keep: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// The cells of a node.
pub(crate) struct Cells {
    engine: EngineSettings,
    starter: Starter,
    tenants: Mutex<HashMap<Tenant, Vec<Arc<Cell>>>>,
}

impl Cells {
    /// No cell yet.
    pub(crate) fn new(settings: &EngineSettings) -> Self {
        let starter = Starter::new(settings.processes.clone());
        Self { engine: settings.clone(), starter, tenants: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> &ProcessSettings {
        &self.engine.processes
    }

    /// A cell of the attempt's tenant that has a place for it, or why there is none.
    fn cell_for(&self, facts: &Facts) -> Result<Arc<Cell>, String> {
        let mut tenants = self.tenants();
        tenants.retain(|_, cells| {
            cells.retain(|cell| !cell.is_gone());
            !cells.is_empty()
        });
        let free = |cell: &&Arc<Cell>| cell.running() < self.settings().guests as usize && cell.fits(&facts.limits);
        if let Some(cell) = tenants.get(&facts.tenant).and_then(|cells| cells.iter().find(free)) {
            return Ok(Arc::clone(cell));
        }
        let all = tenants.values().map(Vec::len).sum::<usize>();
        if all >= self.settings().most && !retire_one(&tenants) {
            let most = self.settings().most;
            return Err(format!("{most} processes run attempts on this node, which is all that it takes, and none of them is idle"));
        }
        let cell = Cell::start(self.settings(), &self.starter, &self.cell_settings(&facts.limits), &facts.limits)?;
        tenants.entry(facts.tenant.clone()).or_default().push(Arc::clone(&cell));
        Ok(cell)
    }

    fn cell_settings(&self, limits: &Limits) -> CellSettings {
        let EngineSettings { guest_stack, host_stack, tick, keep_resident, allocation, .. } = self.engine;
        let guests = self.settings().guests;
        let each = limits.get(Bound::Memory).saturating_add((guest_stack + host_stack) as u64);
        CellSettings {
            node: std::process::id(),
            guests,
            memory: BASE_MEMORY.saturating_add(each.saturating_mul(guests.into())).saturating_add(2 * link::most_from_cell(limits) as u64),
            pooling: allocation == Allocation::Pooling,
            keep_resident: keep_resident.min(KEEP_RESIDENT),
            guest_stack,
            host_stack,
            tick,
        }
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Tenant, Vec<Arc<Cell>>>> {
        // Each change is one step, so the map is whole even after a panic elsewhere.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the cell that has been idle for longest, where there is one.
fn retire_one(tenants: &HashMap<Tenant, Vec<Arc<Cell>>>) -> bool {
    let idle = tenants.values().flatten().filter_map(|cell| Some((cell.idle_since()?, cell)));
    idle.min_by_key(|(since, _)| *since).is_some_and(|(_, cell)| cell.retire())
}
