//! Which module serves a task, remembered for a short while so that the store is not asked for each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ids::{Digest, TaskName, Tenant};
use crate::module::{ModuleConflict, ModuleIndex, TaskDescription, Version};
use crate::store::{IndexSnapshot, ModuleStore, StoreError};

/// How old what is known may be: an activation that a node was not told of takes effect within this time.
const FRESH: Duration = Duration::from_secs(1);

/// Names of tenants and tasks remembered at once, in bytes; beyond it the memory starts anew.
const MAX_REMEMBERED: usize = 64 << 20;

/// What each name costs beside its bytes, roughly.
const NAME_COST: usize = 128;

/// Tries to change an index before giving up against faster writers.
const MAX_TRIES: usize = 20;

/// Modules of all tenants.
pub struct Catalog {
    store: Arc<dyn ModuleStore>,
    /// The generation of all modules and when it was asked for: one question a second for all tenants, however many.
    generation: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    asked: Option<(Instant, u64)>,
    tenants: HashMap<Tenant, Known>,
    bytes: usize,
}

/// What a tenant's active modules serve.
struct Known {
    generation: u64,
    revision: u64,
    serving: HashMap<TaskName, Digest>,
    bytes: usize,
}

/// Why the catalog was not changed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The change does not fit what is there.
    #[error(transparent)]
    Conflict(#[from] ModuleConflict),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others changed the index each time.
    #[error("the modules of tenant {0} are being changed by others: try again")]
    Busy(Tenant),
}

impl Catalog {
    /// The modules in this store.
    #[must_use]
    pub fn new(store: Arc<dyn ModuleStore>) -> Self {
        Self { store, generation: tokio::sync::Mutex::default(), memory: Mutex::default() }
    }

    /// The active module that serves a task. Before the answer is none, the store is asked whether anything has changed.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn serving(&self, tenant: &Tenant, task: &TaskName) -> Result<Option<Digest>, StoreError> {
        if let Some(digest) = self.remembered(tenant, task) {
            return Ok(Some(digest));
        }
        let known = self.memory().tenants.get(tenant).map(|known| known.generation);
        let generation = self.current_generation(known.is_none()).await?;
        if known != Some(generation) {
            self.look_up(tenant, generation).await?;
        } else if let Some(digest) = self.remembered(tenant, task) {
            return Ok(Some(digest));
        } else {
            // What is known is up to date, unless it was asked for before somebody pushed: a name is unknown only as of now.
            let now = self.ask_generation().await?;
            if now != generation {
                self.look_up(tenant, now).await?;
            }
        }
        Ok(self.memory().tenants.get(tenant).and_then(|known| known.serving.get(task).copied()))
    }

    /// All modules of a tenant, as they stand now.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn modules(&self, tenant: &Tenant) -> Result<IndexSnapshot, StoreError> {
        self.store.index(tenant).await
    }

    /// Stores a module that serves these tasks and makes it the active version of `name`.
    ///
    /// # Errors
    /// Where another active module serves one of the tasks, or the store does not answer; nothing has changed then.
    pub async fn activate(&self, tenant: &Tenant, name: &str, bytes: &[u8], tasks: Vec<TaskDescription>) -> Result<Version, CatalogError> {
        let version = Version { digest: Digest::of(bytes), size: bytes.len() as u64, uploaded: Timestamp::now(), tasks };
        // Asked twice, so that the bytes of a module that is refused are not stored.
        self.store.index(tenant).await?.index.activate(name, version.clone())?;
        self.store.put(&version.digest, bytes).await?;
        self.change(tenant, |index| index.activate(name, version.clone())).await?;
        Ok(version)
    }

    /// Makes an earlier version of a module active: the named one, or the one before.
    ///
    /// # Errors
    /// Where there is no such module or version, its tasks are served by another by now, or the store does not answer.
    pub async fn roll_back(&self, tenant: &Tenant, name: &str, to: Option<Digest>) -> Result<Digest, CatalogError> {
        self.change(tenant, |index| index.roll_back(name, to)).await
    }

    /// Forgets what is remembered of a tenant.
    pub fn forget(&self, tenant: &Tenant) {
        let mut memory = self.memory();
        memory.asked = None;
        memory.remove(tenant);
    }

    async fn change<T>(&self, tenant: &Tenant, change: impl Fn(&mut ModuleIndex) -> Result<T, ModuleConflict>) -> Result<T, CatalogError> {
        for _ in 0..MAX_TRIES {
            let IndexSnapshot { revision, mut index } = self.store.index(tenant).await?;
            let answer = change(&mut index)?;
            if self.store.replace_index(tenant, revision, &index).await? {
                self.forget(tenant);
                return Ok(answer);
            }
        }
        Err(CatalogError::Busy(tenant.clone()))
    }

    /// What is known to be served, where that is fresh.
    fn remembered(&self, tenant: &Tenant, task: &TaskName) -> Option<Digest> {
        let memory = self.memory();
        let (asked, generation) = memory.asked?;
        let known = memory.tenants.get(tenant)?;
        let fresh = asked.elapsed() < FRESH && known.generation == generation;
        fresh.then(|| known.serving.get(task).copied()).flatten()
    }

    /// The generation of all modules, asked for at most a second ago. One asks, the others wait for the answer.
    async fn current_generation(&self, tenant_is_new: bool) -> Result<u64, StoreError> {
        let fresh = || self.memory().asked.filter(|(asked, _)| asked.elapsed() < FRESH).map(|(_, generation)| generation);
        let _one = self.generation.lock().await;
        match fresh() {
            // A tenant that is new here is read from the store now, whatever the generation.
            Some(generation) if !tenant_is_new => Ok(generation),
            _ => self.ask_generation().await,
        }
    }

    async fn ask_generation(&self) -> Result<u64, StoreError> {
        let asked = Instant::now();
        let generation = self.store.generation().await?;
        self.memory().asked = Some((asked, generation));
        Ok(generation)
    }

    /// Reads what a tenant's modules serve, where they changed since they were read. The generation was asked for before.
    async fn look_up(&self, tenant: &Tenant, generation: u64) -> Result<(), StoreError> {
        let revision = self.memory().tenants.get(tenant).map(|known| known.revision);
        if revision.is_some() && revision == Some(self.store.revision(tenant).await?) {
            if let Some(known) = self.memory().tenants.get_mut(tenant) {
                known.generation = generation;
            }
            return Ok(());
        }
        let IndexSnapshot { revision, index } = self.store.index(tenant).await?;
        let serving = index.serving();
        let bytes = NAME_COST + tenant.as_str().len() + serving.keys().map(|task| task.as_str().len() + NAME_COST).sum::<usize>();
        self.memory().insert(tenant.clone(), Known { generation, revision, serving, bytes });
        Ok(())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is valid after a panic elsewhere: at worst a count of bytes is off by one tenant.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn insert(&mut self, tenant: Tenant, known: Known) {
        self.remove(&tenant);
        if self.bytes.saturating_add(known.bytes) > MAX_REMEMBERED {
            (self.tenants, self.bytes) = (HashMap::new(), 0);
        }
        self.bytes += known.bytes;
        self.tenants.insert(tenant, known);
    }

    fn remove(&mut self, tenant: &Tenant) {
        let bytes = self.tenants.remove(tenant).map_or(0, |known| known.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
