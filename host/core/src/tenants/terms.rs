//! What holds for the requests of one tenant: the node's settings with the tenant's record over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::record::TenantRecord;
use crate::config::{OpenConfig, SecretKey};
use crate::grants::Grants;
use crate::ids::{TaskName, Tenant};
use crate::isolation::Isolation;
use crate::limits::{Limits, Overrides};
use crate::share::Share;
use crate::signature::PublicKey;

/// What holds for a tenant.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Takes no new requests and runs none.
    pub suspended: bool,
    /// Where its attempts run.
    pub isolation: Isolation,
    /// Keys of which one has to sign each module that is uploaded; none where anything is taken.
    pub signing_keys: Vec<PublicKey>,
    /// Where its tasks may send requests, and what they are configured with.
    pub grants: Grants,
    /// Its bounds.
    pub limits: Limits,
    task_limits: BTreeMap<TaskName, Overrides>,
    weight: u32,
    /// Metadata keys that its guests may read and not write.
    protected: Arc<BTreeSet<String>>,
}

impl Terms {
    /// What holds for everybody who has no record.
    #[must_use]
    pub fn ordinary(limits: Limits, protected: Arc<BTreeSet<String>>) -> Self {
        Self {
            suspended: false,
            isolation: Isolation::Shared,
            signing_keys: Vec::new(),
            grants: Grants::default(),
            limits,
            task_limits: BTreeMap::new(),
            weight: 1,
            protected,
        }
    }

    /// These, with a tenant's record over them. Secrets that do not open are left out, and the log says so.
    pub(super) fn of(&self, tenant: &Tenant, record: &TenantRecord, key: Option<&SecretKey>) -> Self {
        let config = record.config.open(tenant, key).unwrap_or_else(|error| {
            tracing::error!(%tenant, %error, "the tenant's tasks run without their configuration");
            OpenConfig::default()
        });
        let http = if record.http.is_empty() { Arc::clone(&self.grants.http) } else { Arc::new(record.http.clone()) };
        Self {
            suspended: record.suspended,
            signing_keys: record.signing_keys.clone(),
            isolation: record.isolation.unwrap_or(self.isolation),
            grants: Grants { http, config: Arc::new(config) },
            limits: self.limits.with(&record.limits),
            task_limits: record.task_limits.clone(),
            weight: record.weight.unwrap_or(self.weight),
            protected: if record.trusted { Arc::default() } else { Arc::clone(&self.protected) },
        }
    }

    /// The bounds of an attempt of one task.
    #[must_use]
    pub fn limits_of(&self, task: &TaskName) -> Limits {
        self.task_limits.get(task).map_or_else(|| self.limits.clone(), |overrides| self.limits.lowered(overrides))
    }

    /// Whether its guests may not write a metadata key.
    #[must_use]
    pub fn protects(&self, key: &str) -> bool {
        self.protected.contains(key)
    }

    /// What it may use of each queue.
    #[must_use]
    pub fn share(&self) -> Share {
        let in_flight = u32::try_from(self.limits.in_flight).unwrap_or(u32::MAX);
        Share { in_flight: if self.suspended { 0 } else { in_flight }, weight: self.weight }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> TenantRecord {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        value["created"] = "2026-01-01T00:00:00Z".into();
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_record_goes_over_what_all_have_and_a_task_has_no_more_than_its_tenant() {
        let all = Terms::ordinary(Limits::default(), Arc::new(["user_id".to_owned()].into()));
        let terms = all.of(
            &Tenant::default(),
            &record(
                r#"{"weight": 4, "limits": {"memory": "32MiB", "in-flight": "5"},
            "task_limits": {"a.b": {"memory": "1MiB"}, "a.c": {"memory": "1GiB"}}}"#,
            ),
            None,
        );
        let memory = |task: &str| terms.limits_of(&task.parse().unwrap()).memory >> 20;
        assert_eq!((memory("a.a"), memory("a.b"), memory("a.c")), (32, 1, 32));
        assert_eq!(terms.share(), Share { in_flight: 5, weight: 4 });
        assert!(terms.protects("user_id") && !all.of(&Tenant::default(), &record(r#"{"trusted": true}"#), None).protects("user_id"));
        assert_eq!(all.of(&Tenant::default(), &record(r#"{"suspended": true}"#), None).share(), Share { in_flight: 0, weight: 1 });
    }
}
