//! How much a tenant may submit: so many requests a second, so many that wait, so many bytes stored a day. Counted at each node; what others
//! take in meanwhile is known a second later at the latest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{SubmitError, over};
use crate::broker::Broker;
use crate::ids::Tenant;
use crate::limits::{Bound, Limits};
use crate::usage::{Meter, UsageStore, day_of};

/// How old a count may be.
const FRESH: Duration = Duration::from_secs(1);

/// Tenants whose counts are kept; those that are not used are forgotten beyond it.
const MOST_KEPT: usize = 20_000;

/// What tenants have submitted lately, and how much of them is there.
pub struct Quotas {
    broker: Arc<dyn Broker>,
    usage: Arc<dyn UsageStore>,
    meter: Arc<Meter>,
    accounts: Mutex<HashMap<Tenant, Account>>,
}

/// What is known of a tenant.
#[derive(Debug, Clone, Copy)]
struct Account {
    /// Submissions that it may still make now, as of `at`.
    left: f64,
    at: Instant,
    /// Requests that waited, and bytes stored today, when they were last asked for, with what was taken in since.
    counted: Option<Counted>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    at: Instant,
    queued: u64,
    stored: u64,
}

impl Quotas {
    /// Counts of nobody yet.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, usage: Arc<dyn UsageStore>, meter: Arc<Meter>) -> Self {
        Self { broker, usage, meter, accounts: Mutex::default() }
    }

    /// Takes so many submissions, of so many bytes, of a tenant's quotas.
    ///
    /// # Errors
    /// Where one does not suffice: it is named, and nothing is taken.
    pub(super) async fn take(&self, tenant: &Tenant, limits: &Limits, number: usize, bytes: usize) -> Result<(), SubmitError> {
        let [number, bytes] = [number, bytes].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        let known = self.account(tenant, limits).counted.filter(|counted| counted.at.elapsed() < FRESH);
        let fits = |counted: &Counted| over_which(counted, limits, number, bytes).is_none();
        // What has left the queue since is not known: before anybody is refused, the broker is asked.
        let counted = match known.filter(fits) {
            Some(counted) => counted,
            None => self.count(tenant).await?,
        };
        if let Some(bound) = over_which(&counted, limits, number, bytes) {
            return Err(over(bound, limits));
        }
        let mut accounts = self.accounts();
        let account = accounts.entry(tenant.clone()).or_insert_with(|| Account::new(limits));
        account.refill(limits);
        if account.left < as_float(number) {
            return Err(over(Bound::Submissions, limits));
        }
        account.left -= as_float(number);
        // Another submission may have counted later than this one, and taken of it since.
        let base = account.counted.filter(|other| other.at >= counted.at).unwrap_or(counted);
        account.counted = Some(Counted { queued: base.queued.saturating_add(number), stored: base.stored.saturating_add(bytes), ..base });
        Ok(())
    }

    async fn count(&self, tenant: &Tenant) -> Result<Counted, SubmitError> {
        let at = Instant::now();
        let backlog = self.broker.backlog(tenant).await?;
        let today = self.usage.read(tenant, &[day_of(Timestamp::now())]).await?;
        let stored = today.first().map_or(0, |usage| usage.stored_bytes).saturating_add(self.meter.stored_since(tenant));
        Ok(Counted { at, queued: backlog.ready.saturating_add(backlog.delayed), stored })
    }

    fn account(&self, tenant: &Tenant, limits: &Limits) -> Account {
        let mut accounts = self.accounts();
        if accounts.len() >= MOST_KEPT && !accounts.contains_key(tenant) {
            accounts.retain(|_, account| account.at.elapsed() < FRESH);
        }
        *accounts.entry(tenant.clone()).or_insert_with(|| Account::new(limits))
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Tenant, Account>> {
        // Each account is written in one step, so that it is whole even after a panic elsewhere.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn new(limits: &Limits) -> Self {
        Self { left: as_float(limits.submissions), at: Instant::now(), counted: None }
    }

    /// Adds what time has brought; never more than a second's worth.
    fn refill(&mut self, limits: &Limits) {
        let most = as_float(limits.submissions);
        self.left = (self.left + self.at.elapsed().as_secs_f64() * most).min(most);
        self.at = Instant::now();
    }
}

/// The bound that so many more would go over.
fn over_which(counted: &Counted, limits: &Limits, number: u64, bytes: u64) -> Option<Bound> {
    if counted.queued.saturating_add(number) > limits.queued {
        Some(Bound::Queued)
    } else if counted.stored.saturating_add(bytes) > limits.stored {
        Some(Bound::Stored)
    } else {
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of submissions is far below 2^52")]
fn as_float(number: u64) -> f64 {
    number as f64
}
