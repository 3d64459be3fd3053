//! What an operator lays down for one tenant. Everything has a default, and what is absent is as the node has it for everybody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::TenantConfig;
use crate::ids::TaskName;
use crate::isolation::Isolation;
use crate::limits::Overrides;
use crate::outgoing::HttpRules;
use crate::share::MOST_WEIGHT;
use crate::signature::PublicKey;

/// Tasks of a tenant that have bounds of their own.
const MOST_TASKS: usize = 1_000;

/// Keys that may sign a tenant's modules.
const MOST_KEYS: usize = 100;

/// A tenant's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    /// When it was made.
    pub created: Timestamp,
    /// Takes no new requests and runs none; what is queued stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Its guests may write metadata keys that the operator protects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
    /// Where its attempts run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Keys of which one has to sign each module that it uploads; none where anything is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<PublicKey>,
    /// Where its tasks may send HTTP requests; where the node lets everybody, if there are none.
    #[serde(default, skip_serializing_if = "HttpRules::is_empty")]
    pub http: HttpRules,
    /// What its tasks are configured with.
    #[serde(default, skip_serializing_if = "TenantConfig::is_empty")]
    pub config: TenantConfig,
    /// Its part where there is more work than nodes can do: 1 to 10,000, 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Bounds that differ from the node's.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub limits: Overrides,
    /// Bounds of single tasks, each at most the tenant's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_limits: BTreeMap<TaskName, Overrides>,
}

/// Why a record is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRecord(String);

impl TenantRecord {
    /// One that lays nothing down.
    #[must_use]
    pub fn new(created: Timestamp) -> Self {
        Self {
            created,
            suspended: false,
            trusted: false,
            isolation: None,
            signing_keys: Vec::new(),
            http: HttpRules::default(),
            config: TenantConfig::default(),
            weight: None,
            limits: Overrides::default(),
            task_limits: BTreeMap::new(),
        }
    }

    /// Checks what its type does not say already.
    ///
    /// # Errors
    /// Names what is not allowed, and what is.
    pub fn check(&self) -> Result<(), InvalidRecord> {
        if let Some(weight) = self.weight.filter(|weight| !(1..=MOST_WEIGHT).contains(weight)) {
            return Err(InvalidRecord(format!("invalid weight {weight}: expected 1 to {MOST_WEIGHT}")));
        }
        if self.signing_keys.len() > MOST_KEYS {
            return Err(InvalidRecord(format!("{} signing keys, at most {MOST_KEYS} are allowed", self.signing_keys.len())));
        }
        self.config.check().map_err(|error| InvalidRecord(error.to_string()))?;
        if self.task_limits.len() > MOST_TASKS {
            let tasks = self.task_limits.len();
            return Err(InvalidRecord(format!("{tasks} tasks with bounds of their own, at most {MOST_TASKS} are allowed")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_only_what_differs() {
        let record = TenantRecord::new(Timestamp::UNIX_EPOCH);
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"created":"1970-01-01T00:00:00Z"}"#);
        let unknown = serde_json::from_str::<TenantRecord>(r#"{"created":"1970-01-01T00:00:00Z","wait":1}"#).unwrap_err();
        assert!(unknown.to_string().contains("unknown field `wait`"), "{unknown}");
    }

    #[test]
    fn a_weight_out_of_its_range_is_refused() {
        let record = TenantRecord { weight: Some(0), ..TenantRecord::new(Timestamp::UNIX_EPOCH) };
        assert_eq!(record.check().unwrap_err().to_string(), "invalid weight 0: expected 1 to 10000");
    }
}
