//! What holds for the requests of one tenant: the node's settings with the tenant's record over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::record::TenantRecord;
use crate::ids::TaskName;
use crate::isolation::Isolation;
use crate::limits::{Limits, Overrides};
use crate::share::Share;

/// What holds for a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Takes no new requests and runs none.
    pub suspended: bool,
    /// Where its attempts run.
    pub isolation: Isolation,
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
        Self { suspended: false, isolation: Isolation::Shared, limits, task_limits: BTreeMap::new(), weight: 1, protected }
    }

    /// These, with a tenant's record over them.
    pub(super) fn of(&self, record: &TenantRecord) -> Self {
        Self {
            suspended: record.suspended,
            isolation: record.isolation.unwrap_or(self.isolation),
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
        let terms = all.of(&record(
            r#"{"weight": 4, "limits": {"memory": "32MiB", "in-flight": "5"},
            "task_limits": {"a.b": {"memory": "1MiB"}, "a.c": {"memory": "1GiB"}}}"#,
        ));
        let memory = |task: &str| terms.limits_of(&task.parse().unwrap()).memory >> 20;
        assert_eq!((memory("a.a"), memory("a.b"), memory("a.c")), (32, 1, 32));
        assert_eq!(terms.share(), Share { in_flight: 5, weight: 4 });
        assert!(terms.protects("user_id") && !all.of(&record(r#"{"trusted": true}"#)).protects("user_id"));
        assert_eq!(all.of(&record(r#"{"suspended": true}"#)).share(), Share { in_flight: 0, weight: 1 });
    }
}
