//! The bodies of `/v1/tenants`, `/v1/tokens` and `/v1/usage`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use mogbox_core::config::{ConfigError, SecretKey, TenantConfig};
use mogbox_core::limits::{LimitError, Overrides};
use mogbox_core::outgoing::HttpRules;
use mogbox_core::signature::PublicKey;
use mogbox_core::tokens::{Grant, Scope, TokenRecord};
use mogbox_core::usage::Usage;
use mogbox_core::{Isolation, TaskName, Tenant, TenantRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Bounds by name, each with its value, or null for what holds without it.
pub(crate) type LimitChanges = BTreeMap<String, Option<String>>;

/// `PATCH /v1/tenants/{tenant}`: what is to be changed; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantChange {
    /// Takes no new requests and runs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) suspended: Option<bool>,
    /// Its guests may write protected metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trusted: Option<bool>,
    /// Where its attempts run: `shared` or `process`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) isolation: Option<Isolation>,
    /// Keys of which one has to sign each module: all of them, instead of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) signing_keys: Option<Vec<PublicKey>>,
    /// Where its tasks may send HTTP requests: all rules, instead of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) http: Option<HttpRules>,
    /// What its tasks are configured with, by key; null for nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) config: BTreeMap<String, Option<String>>,
    /// The same, sealed before they are stored, and never shown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    pub(crate) secrets: BTreeMap<String, Option<Secret>>,
    /// Its part where there is more work than nodes can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<u32>,
    /// Bounds of the tenant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    pub(crate) limits: LimitChanges,
    /// Bounds of single tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, BTreeMap<String, Option<String>>>)]
    pub(crate) task_limits: BTreeMap<TaskName, LimitChanges>,
}

impl TenantChange {
    /// A tenant's record with these changes. Secrets are sealed with the key.
    ///
    /// # Errors
    /// Where a bound is not known, or has a value that it may not have, or there is no key for a secret.
    pub(crate) fn apply(&self, tenant: &Tenant, mut record: TenantRecord, key: Option<&SecretKey>) -> Result<TenantRecord, InvalidChange> {
        record.suspended = self.suspended.unwrap_or(record.suspended);
        record.trusted = self.trusted.unwrap_or(record.trusted);
        record.isolation = self.isolation.or(record.isolation);
        record.weight = self.weight.or(record.weight);
        record.signing_keys = self.signing_keys.clone().unwrap_or(record.signing_keys);
        record.http = self.http.clone().unwrap_or(record.http);
        self.configure(tenant, &mut record.config, key)?;
        change(&mut record.limits, &self.limits)?;
        for (task, changes) in &self.task_limits {
            change(record.task_limits.entry(task.clone()).or_default(), changes)?;
        }
        record.task_limits.retain(|_, limits| !limits.is_empty());
        Ok(record)
    }

    fn configure(&self, tenant: &Tenant, config: &mut TenantConfig, key: Option<&SecretKey>) -> Result<(), ConfigError> {
        for (name, value) in &self.config {
            match value {
                Some(value) => drop(config.values.insert(name.clone(), value.clone())),
                None => drop(config.values.remove(name)),
            }
        }
        for (name, secret) in &self.secrets {
            match secret {
                Some(Secret(secret)) => {
                    let sealed = key.ok_or(ConfigError::NoSecretKey)?.seal(tenant, name, secret)?;
                    config.secrets.insert(name.clone(), sealed);
                }
                None => drop(config.secrets.remove(name)),
            }
        }
        Ok(())
    }
}

/// Why a record cannot be changed so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidChange {
    /// A bound.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A value or secret.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A secret on its way to be sealed. Shows nothing of itself in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Secret(pub(crate) Zeroizing<String>);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0.to_string()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn change(overrides: &mut Overrides, changes: &LimitChanges) -> Result<(), LimitError> {
    changes.iter().try_for_each(|(name, value)| match value {
        Some(value) => overrides.set(name, value),
        None => overrides.unset(name),
    })
}

/// `POST /v1/tenants`: a tenant to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewTenant {
    /// Its name.
    #[schema(value_type = String)]
    pub(crate) name: Tenant,
    /// What is laid down for it.
    #[serde(flatten)]
    pub(crate) change: TenantChange,
}

/// A tenant with its record, of whose secrets only the names are shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TenantView {
    /// Its name.
    #[schema(value_type = String)]
    pub(crate) name: Tenant,
    /// What is laid down for it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub(crate) record: TenantRecord,
    /// Names of its secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<String>,
}

impl TenantView {
    /// A tenant as it may be shown.
    pub(crate) fn of(name: Tenant, mut record: TenantRecord) -> Self {
        let secrets = std::mem::take(&mut record.config.secrets).into_keys().collect();
        Self { name, record, secrets }
    }
}

/// `GET /v1/tenants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TenantList {
    /// By name.
    pub(crate) tenants: Vec<TenantView>,
}

/// `DELETE /v1/tenants/{tenant}`: what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Deleted {
    /// Whose.
    #[schema(value_type = String)]
    pub(crate) name: Tenant,
    /// Tokens that let nobody in any more.
    pub(crate) tokens: usize,
    /// Requests that waited, and were revoked.
    pub(crate) requests: usize,
}

/// `POST /v1/tokens`: a token to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// An operator's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) admin: bool,
    /// Or this tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) tenant: Option<Tenant>,
    /// For what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub(crate) scopes: Vec<Scope>,
    /// What it is for, for people.
    #[serde(default)]
    pub(crate) note: String,
}

/// A token without what lets anybody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TokenView {
    /// By which it is named.
    pub(crate) id: String,
    /// An operator's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) admin: bool,
    /// Or this tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) tenant: Option<Tenant>,
    /// For what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub(crate) scopes: Vec<Scope>,
    /// What it is for, for people.
    pub(crate) note: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_used: Option<Timestamp>,
}

impl From<TokenRecord> for TokenView {
    fn from(record: TokenRecord) -> Self {
        let id = record.id();
        let (admin, tenant, scopes) = match record.grant {
            Grant::Admin => (true, None, Vec::new()),
            Grant::Tenant { tenant, scopes } => (false, Some(tenant), scopes),
        };
        Self { id, admin, tenant, scopes, note: record.note, created: record.created, last_used: record.last_used }
    }
}

/// The answer to `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TokenCreated {
    /// What lets its holder in. Shown here only.
    pub(crate) token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub(crate) view: TokenView,
}

/// `GET /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TokenList {
    /// The newest first.
    pub(crate) tokens: Vec<TokenView>,
}

/// What was used in a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DayUsage {
    /// The day, UTC.
    #[schema(value_type = String, format = Date)]
    pub(crate) day: Date,
    /// The sums.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub(crate) usage: Usage,
}

/// `GET /v1/usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct UsageView {
    /// Whose.
    #[schema(value_type = String)]
    pub(crate) tenant: Tenant,
    /// Today first.
    pub(crate) days: Vec<DayUsage>,
}
