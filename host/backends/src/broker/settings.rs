//! What whoever opens a broker says about the queues it consumes and what each tenant may use.

use std::time::Duration;

use mogbox_core::ids::{QueueName, Tenant};
use mogbox_core::share::MOST_WEIGHT;
use mogbox_core::{Share, Shares};

use crate::error::OpenError;

const MOST_QUEUES: usize = 64;
const MOST_SHARDS: u32 = 256;
const MOST_IN_FLIGHT: u32 = 1_000_000;
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 3600);
const SHORTEST_LEASE: Duration = Duration::from_millis(10);

/// Settings of a broker. Nodes that share a backend should agree on all of them and must agree on `shards`.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The queues consumed and looked at; requests may be submitted to others.
    pub queues: Vec<QueueName>,
    /// How long a delivery may go unrenewed before it is handed out again.
    pub lease: Duration,
    /// What a tenant may use that `tenants` does not name.
    pub share: Share,
    /// What tenants may use that have a share of their own, as it stands now.
    pub tenants: Shares,
    /// Parts into which each queue is split on Redis; the embedded broker has one.
    pub shards: u32,
    /// The longest message taken for a request, in bytes; a longer one goes to the dead letters.
    pub longest_message: usize,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            queues: vec![QueueName::default()],
            lease: Duration::from_secs(30),
            share: Share::default(),
            tenants: Shares::default(),
            shards: 1,
            longest_message: 48 * 1024 * 1024,
        }
    }
}

impl BrokerSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// Names the first that is not allowed, and what is.
    pub fn check(&self) -> Result<(), OpenError> {
        within("queues", self.queues.len(), 1, MOST_QUEUES)?;
        within("lease in milliseconds", self.lease.as_millis(), SHORTEST_LEASE.as_millis(), LONGEST_LEASE.as_millis())?;
        within("shards", self.shards, 1, MOST_SHARDS)?;
        within("in_flight", self.share.in_flight, 1, MOST_IN_FLIGHT)?;
        within("weight", self.share.weight, 1, MOST_WEIGHT)
    }

    /// What a tenant may use.
    pub(crate) fn share_of(&self, tenant: &Tenant) -> Share {
        self.tenants.of(tenant).unwrap_or(self.share)
    }
}

fn within<T: PartialOrd + std::fmt::Display>(what: &str, value: T, least: T, most: T) -> Result<(), OpenError> {
    if value >= least && value <= most {
        return Ok(());
    }
    let (what, why) = ("the broker's settings".to_owned(), format!("{what} is {value}"));
    Err(OpenError { what, why, way_out: format!("expected {least} to {most}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_bounds_is_named_with_what_is_allowed() {
        let with = |change: fn(&mut BrokerSettings)| {
            let mut settings = BrokerSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        let lease = with(|settings| settings.lease = Duration::ZERO);
        assert_eq!(lease, "cannot use the broker's settings: lease in milliseconds is 0; expected 10 to 86400000");
        assert!(with(|settings| settings.queues.clear()).contains("queues is 0; expected 1 to 64"));
        assert!(with(|settings| settings.shards = 0).contains("shards is 0"));
        assert!(with(|settings| settings.share.weight = 0).contains("weight is 0; expected 1 to 10000"));
        assert_eq!(BrokerSettings::default().check(), Ok(()));
    }
}
