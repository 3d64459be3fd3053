//! Which module serves a task, remembered for a short while so that the store is not asked for each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ids::{Digest, TaskName, Tenant};
use crate::module::{ModuleConflict, ModuleIndex, TaskDescription, Version};
use crate::store::{IndexSnapshot, ModuleStore, StoreError};

/// How old a remembered index may be: an activation that a node was not told of takes effect within this time.
const FRESH: Duration = Duration::from_secs(1);

/// Tenants remembered at once; beyond it the memory starts anew.
const MAX_REMEMBERED: usize = 10_000;

/// Tries to change an index before giving up against faster writers.
const MAX_TRIES: usize = 20;

/// Modules of all tenants.
pub struct Catalog {
    store: Arc<dyn ModuleStore>,
    remembered: Mutex<HashMap<Tenant, (Instant, Arc<IndexSnapshot>)>>,
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
        Self { store, remembered: Mutex::default() }
    }

    /// The active module that serves a task. Before the answer is none, the store is asked whether anything has changed.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn serving(&self, tenant: &Tenant, task: &TaskName) -> Result<Option<Digest>, StoreError> {
        if let Some(snapshot) = self.fresh(tenant)
            && let Some(digest) = snapshot.index.serving(task)
        {
            return Ok(Some(digest));
        }
        Ok(self.current(tenant).await?.index.serving(task))
    }

    /// All modules of a tenant, as they stand now.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn modules(&self, tenant: &Tenant) -> Result<Arc<IndexSnapshot>, StoreError> {
        self.current(tenant).await
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
        self.memory().remove(tenant);
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

    fn fresh(&self, tenant: &Tenant) -> Option<Arc<IndexSnapshot>> {
        let memory = self.memory();
        let (read, snapshot) = memory.get(tenant)?;
        (read.elapsed() < FRESH).then(|| Arc::clone(snapshot))
    }

    /// The modules as they stand: what is remembered where its revision is still the store's.
    async fn current(&self, tenant: &Tenant) -> Result<Arc<IndexSnapshot>, StoreError> {
        let known = self.memory().get(tenant).map(|(_, snapshot)| Arc::clone(snapshot));
        let Some(known) = known else { return self.look_up(tenant).await };
        let asked = Instant::now();
        if self.store.revision(tenant).await? != known.revision {
            return self.look_up(tenant).await;
        }
        self.memory().insert(tenant.clone(), (asked, Arc::clone(&known)));
        Ok(known)
    }

    async fn look_up(&self, tenant: &Tenant) -> Result<Arc<IndexSnapshot>, StoreError> {
        let read = Instant::now();
        let snapshot = Arc::new(self.store.index(tenant).await?);
        let mut memory = self.memory();
        if memory.len() >= MAX_REMEMBERED {
            memory.clear();
        }
        memory.insert(tenant.clone(), (read, Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, HashMap<Tenant, (Instant, Arc<IndexSnapshot>)>> {
        // What is remembered is valid after a panic elsewhere: each change of the map is one call.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
