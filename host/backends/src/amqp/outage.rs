//! What is told of a RabbitMQ that is away, and how long to wait before it is tried again.

use std::time::{Duration, Instant};

use mogbox_core::broker::BrokerError;
use mogbox_core::retry::Backoff;

use super::rarely::Rarely;

/// How often one that goes on is told of.
const EVERY: Duration = Duration::from_secs(30);

/// The tries that failed in a row.
pub(super) struct Outage {
    failures: u32,
    since: Instant,
    told: Rarely,
}

impl Outage {
    pub(super) fn none() -> Self {
        Self { failures: 0, since: Instant::now(), told: Rarely::every(EVERY) }
    }

    /// A try failed: tells of it now and then, and waits before the next.
    pub(super) async fn goes_on(&mut self, what: &str, error: &BrokerError) {
        if self.failures == 0 {
            self.since = Instant::now();
        }
        self.failures += 1;
        if self.told.now().is_some() {
            tracing::warn!(%error, failures = self.failures, "cannot {what}; trying again");
        }
        tokio::time::sleep(Backoff::CALLS.wait(self.failures)).await;
    }

    /// A try went well.
    pub(super) fn ends(&mut self, what: &str) {
        if self.failures > 0 {
            tracing::info!(after = ?self.since.elapsed(), "can {what} again");
            *self = Self::none();
        }
    }
}
