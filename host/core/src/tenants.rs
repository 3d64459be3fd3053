//! Tenants as an operator lays them down, and what follows for each request. A tenant without a record has what the node gives to
//! everybody. What is known here is at most a second old; it is read as it changes, so that its cost does not grow with the tenants.

mod record;
mod terms;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};

use crate::config::SecretKey;
use crate::ids::Tenant;
use crate::limits::Limits;
use crate::share::Shares;
use crate::store::StoreError;

pub use record::{InvalidRecord, TenantRecord};
pub use terms::Terms;

/// How often a node asks whether anything was changed.
const EVERY: Duration = Duration::from_secs(1);

/// Records of one answer.
pub const MOST_CHANGES: usize = 1_000;

/// A tenant's record as it stands, with the revision that a change must name.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantSnapshot {
    /// Grows with each change of any tenant's record; 0 where this one was never written.
    pub revision: u64,
    /// None where there is none, or it was deleted.
    pub record: Option<TenantRecord>,
}

/// Records of tenants, with one number that grows with each change of any of them.
#[async_trait]
pub trait TenantStore: Send + Sync + 'static {
    /// The record of a tenant.
    async fn read(&self, tenant: &Tenant) -> Result<TenantSnapshot, StoreError>;

    /// Replaces a tenant's record, or removes it, where it still has `revision`; false where somebody was faster.
    async fn replace(&self, tenant: &Tenant, revision: u64, record: Option<&TenantRecord>) -> Result<bool, StoreError>;

    /// Records that were changed after this revision, in the order of their last change, at most [`MOST_CHANGES`] of them. After 0,
    /// all that there are.
    async fn changes(&self, after: u64) -> Result<Vec<(Tenant, TenantSnapshot)>, StoreError>;
}

/// The tenants that a node knows.
pub struct Tenants {
    store: Option<Arc<dyn TenantStore>>,
    ordinary: Arc<Terms>,
    shares: Shares,
    /// Opens the secrets of records.
    key: Option<SecretKey>,
    /// The last revision that was read; one reads at a time.
    revision: Mutex<u64>,
    known: RwLock<HashMap<Tenant, Arc<Terms>>>,
    told: Notify,
}

impl Tenants {
    /// The tenants of this store; `ordinary` holds for whoever has no record. `shares` is kept up to date for the broker, `key` opens secrets.
    #[must_use]
    pub fn new(store: Arc<dyn TenantStore>, ordinary: Terms, shares: Shares, key: Option<SecretKey>) -> Self {
        let ordinary = Arc::new(ordinary);
        Self { store: Some(store), ordinary, shares, key, revision: Mutex::default(), known: RwLock::default(), told: Notify::new() }
    }

    /// Tenants of whom none has a record: these bounds hold for all.
    #[must_use]
    pub fn alike(limits: Limits) -> Self {
        let ordinary = Arc::new(Terms::ordinary(limits, Arc::default()));
        Self {
            store: None,
            ordinary,
            shares: Shares::default(),
            key: None,
            revision: Mutex::default(),
            known: RwLock::default(),
            told: Notify::new(),
        }
    }

    /// What holds for a tenant.
    #[must_use]
    pub fn terms(&self, tenant: &Tenant) -> Arc<Terms> {
        self.known().get(tenant).unwrap_or(&self.ordinary).clone()
    }

    /// Reads what was changed since the last time. Returns the tenants whose share is another now.
    ///
    /// # Errors
    /// Where the store does not answer; what is known stays.
    pub async fn refresh(&self) -> Result<Vec<Tenant>, StoreError> {
        let Some(store) = &self.store else { return Ok(Vec::new()) };
        let mut revision = self.revision.lock().await;
        let mut shifted = Vec::new();
        loop {
            let changes = store.changes(*revision).await?;
            for (tenant, snapshot) in &changes {
                if self.take(tenant, snapshot.record.as_ref()) {
                    shifted.push(tenant.clone());
                }
                *revision = snapshot.revision.max(*revision);
            }
            if changes.len() < MOST_CHANGES {
                return Ok(shifted);
            }
        }
    }

    /// Reads what is changed, for ever, and tells of tenants whose share is another: first of all that are known to have one.
    pub async fn watch<F: Future<Output = ()>>(&self, shifted: impl Fn(Vec<Tenant>) -> F) {
        shifted(self.shares.tenants()).await;
        loop {
            // Told of a change or not: a message may be missed.
            let _ = tokio::time::timeout(EVERY, self.told.notified()).await;
            match self.refresh().await {
                Ok(tenants) if tenants.is_empty() => {}
                Ok(tenants) => shifted(tenants).await,
                Err(error) => tracing::debug!(%error, "changes of tenants not read; trying again"),
            }
        }
    }

    /// Lets [`Self::watch`] look at once.
    pub fn look_again(&self) {
        self.told.notify_one();
    }

    fn take(&self, tenant: &Tenant, record: Option<&TenantRecord>) -> bool {
        let terms = record.map(|record| Arc::new(self.ordinary.of(tenant, record, self.key.as_ref())));
        let share = terms.as_ref().map(|terms| terms.share()).filter(|share| *share != self.ordinary.share());
        let mut known = self.write();
        match terms {
            Some(terms) => known.insert(tenant.clone(), terms),
            None => known.remove(tenant),
        };
        drop(known);
        self.shares.set(tenant, share)
    }

    // Each change is one entry of a map, so that it is whole even after a panic elsewhere.
    fn known(&self) -> RwLockReadGuard<'_, HashMap<Tenant, Arc<Terms>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Tenant, Arc<Terms>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
