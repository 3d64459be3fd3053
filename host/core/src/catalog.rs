//! Which module serves a task, remembered for a short while so that the store is not asked for each request.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ids::{Digest, TaskName, Tenant};
use crate::module::{ModuleConflict, ModuleIndex, Served, Serving, TaskDescription, Version};
use crate::signature::KeyId;
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

/// What a tenant's active modules served at a generation.
struct Known {
    generation: u64,
    serving: Serving,
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

    /// The active module that serves a task.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn serving(&self, tenant: &Tenant, task: &TaskName) -> Result<Option<Served>, StoreError> {
        Ok(self.serving_all(&[(tenant, task)]).await?.into_iter().flatten().next())
    }

    /// The active modules that serve tasks, in their order: what is not known is asked of the store in one call. Before an answer is
    /// none, the store is asked whether anything has changed.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn serving_all(&self, wanted: &[(&Tenant, &TaskName)]) -> Result<Vec<Option<Served>>, StoreError> {
        let begun = Instant::now();
        let (generation, asked) = self.current_generation().await?;
        let found = self.look_up(wanted, generation).await?;
        if found.iter().all(Option::is_some) || asked >= begun {
            return Ok(found);
        }
        let generation = self.ask_generation().await?;
        self.look_up(wanted, generation).await
    }

    /// All modules of a tenant, as they stand now.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn modules(&self, tenant: &Tenant) -> Result<IndexSnapshot, StoreError> {
        self.store.index(tenant).await
    }

    /// A version of a module with these bytes and tasks, which [`Self::activate`] would take now. Changes nothing.
    ///
    /// # Errors
    /// Where another active module serves one of the tasks, or the store does not answer.
    pub async fn check(&self, tenant: &Tenant, name: &str, bytes: &[u8], tasks: Vec<TaskDescription>) -> Result<Version, CatalogError> {
        let version = Version { digest: Digest::of(bytes), size: bytes.len() as u64, uploaded: Timestamp::now(), tasks, signed_by: None };
        self.store.index(tenant).await?.index.activate(name, version.clone())?;
        Ok(version)
    }

    /// Stores a module that serves these tasks and makes it the active version of `name`. A key that signed it has been checked.
    ///
    /// # Errors
    /// Where another active module serves one of the tasks, or the store does not answer; nothing has changed then.
    pub async fn activate(
        &self,
        tenant: &Tenant,
        name: &str,
        bytes: &[u8],
        tasks: Vec<TaskDescription>,
        signed_by: Option<KeyId>,
    ) -> Result<Version, CatalogError> {
        // Asked twice, so that the bytes of a module that is refused are not stored.
        let version = Version { signed_by, ..self.check(tenant, name, bytes, tasks).await? };
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

    /// Removes a module, or one version of it that is not active. Requests that run keep theirs; bytes stay, as others may have the same.
    ///
    /// # Errors
    /// Where there is no such module or version, that version is active, or the store does not answer.
    pub async fn remove(&self, tenant: &Tenant, name: &str, version: Option<Digest>) -> Result<(), CatalogError> {
        self.change(tenant, |index| index.remove(name, version)).await
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

    /// The generation of all modules, asked for at most a second ago, and when. One asks, the others wait for the answer.
    async fn current_generation(&self) -> Result<(u64, Instant), StoreError> {
        let fresh = || self.memory().asked.filter(|(asked, _)| asked.elapsed() < FRESH);
        if let Some((asked, generation)) = fresh() {
            return Ok((generation, asked));
        }
        let _one = self.generation.lock().await;
        match fresh() {
            Some((asked, generation)) => Ok((generation, asked)),
            None => {
                let asked = Instant::now();
                Ok((self.ask_generation().await?, asked))
            }
        }
    }

    async fn ask_generation(&self) -> Result<u64, StoreError> {
        let asked = Instant::now();
        let generation = self.store.generation().await?;
        self.memory().asked = Some((asked, generation));
        Ok(generation)
    }

    /// What serves tasks at a generation, which was asked for before: from memory, or else from the store.
    async fn look_up(&self, wanted: &[(&Tenant, &TaskName)], generation: u64) -> Result<Vec<Option<Served>>, StoreError> {
        let (mut found, stale) = self.recall(wanted, generation);
        if stale.is_empty() {
            return Ok(found);
        }
        let read: HashMap<Tenant, Serving> = stale.iter().cloned().zip(self.store.serving(&stale).await?).collect();
        for ((tenant, task), found) in wanted.iter().zip(&mut found) {
            if let Some(serving) = read.get(*tenant) {
                *found = serving.get(*task).copied();
            }
        }
        let mut memory = self.memory();
        read.into_iter().for_each(|(tenant, serving)| memory.insert(tenant, serving, generation));
        Ok(found)
    }

    /// What memory knows, and the tenants of whom it knows nothing of this generation.
    fn recall(&self, wanted: &[(&Tenant, &TaskName)], generation: u64) -> (Vec<Option<Served>>, Vec<Tenant>) {
        let (memory, mut stale) = (self.memory(), BTreeSet::new());
        let found = wanted.iter().map(|(tenant, task)| {
            let known = memory.tenants.get(*tenant).filter(|known| known.generation == generation);
            if known.is_none() {
                stale.insert((*tenant).clone());
            }
            known?.serving.get(*task).copied()
        });
        (found.collect(), stale.into_iter().collect())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is valid after a panic elsewhere: at worst a count of bytes is off by one tenant.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn insert(&mut self, tenant: Tenant, serving: Serving, generation: u64) {
        let bytes = NAME_COST + tenant.as_str().len() + serving.keys().map(|task| task.as_str().len() + NAME_COST).sum::<usize>();
        self.remove(&tenant);
        if self.bytes.saturating_add(bytes) > MAX_REMEMBERED {
            (self.tenants, self.bytes) = (HashMap::new(), 0);
        }
        self.bytes += bytes;
        self.tenants.insert(tenant, Known { generation, serving, bytes });
    }

    fn remove(&mut self, tenant: &Tenant) {
        let bytes = self.tenants.remove(tenant).map_or(0, |known| known.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
