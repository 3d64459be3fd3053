//! What tenants used, summed by day: for metering, and for the bound on what is stored. Added up in memory and stored once a second:
//! what a node that is killed had not stored yet is missing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::ids::Tenant;
use crate::report::Receipt;
use crate::store::StoreError;

/// How often sums are stored.
const EVERY: Duration = Duration::from_secs(1);

/// Days of one answer.
pub const MOST_DAYS: usize = 400;

/// What a tenant used in a day (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Attempts that ended.
    pub attempts: u64,
    /// Requests that were done.
    pub requests: u64,
    /// CPU time of guests, microseconds.
    pub cpu_us: u64,
    /// The most memory of each attempt times how long it ran, MiB milliseconds.
    pub memory_mib_ms: u64,
    /// Bytes that guests sent out by HTTP.
    pub outgoing_bytes: u64,
    /// Bytes stored: arguments, metadata, state, values, reports.
    pub stored_bytes: u64,
}

/// Declares each number once: for sums, and for stores that keep them by name.
macro_rules! numbers {
    ($($name:ident)*) => {
        impl Usage {
            /// Its numbers by name.
            #[must_use]
            pub fn numbers(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }

            /// That of numbers by name; those that are not known are passed over.
            #[must_use]
            pub fn of_numbers<'a>(numbers: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
                let mut usage = Self::default();
                for (name, number) in numbers {
                    match name {
                        $(stringify!($name) => usage.$name = number,)*
                        _ => {}
                    }
                }
                usage
            }

            /// Both together.
            #[must_use]
            pub const fn and(self, other: Self) -> Self {
                Self { $($name: self.$name.saturating_add(other.$name)),* }
            }
        }
    };
}

numbers! { attempts requests cpu_us memory_mib_ms outgoing_bytes stored_bytes }

impl Usage {
    /// What an attempt used.
    #[must_use]
    pub fn of_attempt(receipt: &Receipt) -> Self {
        let memory_mib_ms = u128::from(receipt.peak_memory) * u128::from(receipt.run_us) / (1_000 << 20);
        Self {
            attempts: 1,
            cpu_us: receipt.cpu_us,
            outgoing_bytes: receipt.http.bytes_out,
            memory_mib_ms: u64::try_from(memory_mib_ms).unwrap_or(u64::MAX),
            ..Self::default()
        }
    }

    /// Bytes stored.
    #[must_use]
    pub fn stored(bytes: usize) -> Self {
        Self { stored_bytes: u64::try_from(bytes).unwrap_or(u64::MAX), ..Self::default() }
    }
}

/// Sums by tenant and day.
#[async_trait]
pub trait UsageStore: Send + Sync + 'static {
    /// Adds to the sums of a day, all or none.
    async fn add(&self, day: Date, sums: &[(Tenant, Usage)]) -> Result<(), StoreError>;

    /// A tenant's sums of these days, in their order, zero where there are none.
    async fn read(&self, tenant: &Tenant, days: &[Date]) -> Result<Vec<Usage>, StoreError>;
}

/// The day in which a moment is.
#[must_use]
pub fn day_of(moment: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(moment).date()
}

/// Adds up what tenants use.
#[derive(Debug, Default)]
pub struct Meter {
    sums: Mutex<HashMap<Tenant, Usage>>,
}

impl Meter {
    /// Adds to a tenant's sums of today.
    pub fn add(&self, tenant: &Tenant, usage: Usage) {
        let mut sums = self.sums();
        match sums.get_mut(tenant) {
            Some(sum) => *sum = sum.and(usage),
            None => drop(sums.insert(tenant.clone(), usage)),
        }
    }

    /// Bytes that a tenant stored, and that are in no store's sums yet.
    #[must_use]
    pub fn stored_since(&self, tenant: &Tenant) -> u64 {
        self.sums().get(tenant).map_or(0, |sum| sum.stored_bytes)
    }

    /// Stores the sums; what could not be stored is kept for the next time.
    pub async fn store(&self, store: &dyn UsageStore) {
        let sums: Vec<(Tenant, Usage)> = std::mem::take(&mut *self.sums()).into_iter().collect();
        if sums.is_empty() {
            return;
        }
        if let Err(error) = store.add(day_of(Timestamp::now()), &sums).await {
            tracing::debug!(%error, "sums of usage not stored; trying again");
            sums.iter().for_each(|(tenant, usage)| self.add(tenant, *usage));
        }
    }

    /// Stores the sums once a second, for ever.
    pub async fn run(&self, store: &dyn UsageStore) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.store(store).await;
        }
    }

    fn sums(&self) -> MutexGuard<'_, HashMap<Tenant, Usage>> {
        // Each sum is written in one step, so that it is whole even after a panic elsewhere.
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_by_name() {
        let usage = Usage { attempts: 1, requests: 2, cpu_us: 3, memory_mib_ms: 4, outgoing_bytes: 5, stored_bytes: 6 };
        assert_eq!(Usage::of_numbers(usage.numbers()), usage);
        assert_eq!(usage.and(usage).stored_bytes, 12);
    }

    #[test]
    fn memory_counts_for_as_long_as_it_was_held() {
        let receipt = Receipt { peak_memory: 64 << 20, run_us: 2_000_000, cpu_us: 7, ..Receipt::default() };
        assert_eq!(Usage::of_attempt(&receipt).memory_mib_ms, 64 * 2_000);
    }
}
