//! What a tenant's tasks are configured with: plain values, and secrets that are sealed wherever they are kept. A secret is shown to
//! its tenant's tasks alone: in no error, log, receipt or record.

mod seal;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ids::Tenant;

pub use seal::{InvalidSecretKey, Sealed, SecretKey};

/// Keys of one tenant, values and secrets together.
pub const MAX_KEYS: usize = 256;

/// Bytes of a value or a secret.
pub const MAX_VALUE: usize = 64 << 10;

/// Bytes of a key.
const MAX_KEY: usize = 128;

/// A configuration that is none, or that cannot be opened. Names keys, never what stands under them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A key is malformed.
    #[error("invalid key {0:?}: expected 1 to 128 of the characters A-Z, a-z, 0-9, '.', '_' and '-'")]
    Key(String),
    /// What stands under a key is too large.
    #[error("what stands under the key {key:?} has {size} bytes, at most {MAX_VALUE} are allowed")]
    TooLarge {
        /// Which key.
        key: String,
        /// Its bytes.
        size: usize,
    },
    /// There are too many keys.
    #[error("the tenant has {0} keys, at most {MAX_KEYS} are allowed")]
    TooMany(usize),
    /// A key is both.
    #[error("the key {0:?} names a value and a secret: expected one of them")]
    Twice(String),
    /// There is no key to open or seal secrets with.
    #[error("this node has no key for secrets: start it with --secret-key FILE, the same file on every node")]
    NoSecretKey,
    /// A secret was sealed with another key, or for another tenant or name.
    #[error("the secret {0:?} cannot be opened: it was sealed with another key, or for another tenant or name; set it again")]
    Unreadable(String),
}

/// What a tenant's tasks are configured with, as it is kept: secrets sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantConfig {
    /// Plain values, by key.
    pub values: BTreeMap<String, String>,
    /// Secrets, by key.
    pub secrets: BTreeMap<String, Sealed>,
}

impl TenantConfig {
    /// Checks every bound.
    ///
    /// # Errors
    /// Names the key that is not allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let keys = self.values.len() + self.secrets.len();
        if keys > MAX_KEYS {
            return Err(ConfigError::TooMany(keys));
        }
        self.values.iter().try_for_each(|(key, value)| check_entry(key, value.len()))?;
        self.secrets.iter().try_for_each(|(key, sealed)| check_entry(key, sealed.size()))?;
        match self.values.keys().find(|key| self.secrets.contains_key(*key)) {
            Some(key) => Err(ConfigError::Twice(key.clone())),
            None => Ok(()),
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.secrets.is_empty()
    }

    /// Opens the secrets, for the tenant's tasks.
    ///
    /// # Errors
    /// Where the configuration is not allowed, or a secret cannot be opened.
    pub fn open(&self, tenant: &Tenant, key: Option<&SecretKey>) -> Result<OpenConfig, ConfigError> {
        self.check()?;
        let mut open: BTreeMap<_, _> = self.values.iter().map(|(name, value)| (name.clone(), Zeroizing::new(value.clone()))).collect();
        for (name, sealed) in &self.secrets {
            let secret = key.ok_or(ConfigError::NoSecretKey)?.open(tenant, name, sealed)?;
            open.insert(name.clone(), secret);
        }
        Ok(OpenConfig(open))
    }
}

/// Whether something may stand under a key.
pub(crate) fn check_entry(key: &str, size: usize) -> Result<(), ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(allowed) {
        return Err(ConfigError::Key(key.chars().take(MAX_KEY).collect()));
    }
    if size > MAX_VALUE {
        return Err(ConfigError::TooLarge { key: key.to_owned(), size });
    }
    Ok(())
}

/// What a tenant's tasks read: values and secrets alike. It is gone from memory once nobody holds it.
#[derive(Default)]
pub struct OpenConfig(BTreeMap<String, Zeroizing<String>>);

impl FromIterator<(String, String)> for OpenConfig {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(entries: T) -> Self {
        Self(entries.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect())
    }
}

impl OpenConfig {
    /// What stands under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str())
    }

    /// Every key with what stands under it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Bytes of all of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// The names alone.
impl fmt::Debug for OpenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::random()
    }

    fn config(values: &[(&str, &str)], secrets: &[(&str, Sealed)]) -> TenantConfig {
        TenantConfig {
            values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            secrets: secrets.iter().map(|(name, sealed)| ((*name).to_owned(), sealed.clone())).collect(),
        }
    }

    #[test]
    fn values_and_secrets_are_read_alike_and_shown_by_name_only() {
        let (key, tenant) = (key(), Tenant::default());
        let sealed = key.seal(&tenant, "token", "hunter2").unwrap();
        let config = config(&[("level", "debug")], &[("token", sealed)]);
        let open = config.open(&tenant, Some(&key)).unwrap();
        assert_eq!((open.get("token"), open.get("level"), open.get("other")), (Some("hunter2"), Some("debug"), None));
        assert_eq!(format!("{open:?}"), r#"{"level", "token"}"#);
        assert!(!format!("{config:?}").contains("hunter2") && !serde_json::to_string(&config).unwrap().contains("hunter2"));
        assert_eq!(config.open(&tenant, None).unwrap_err(), ConfigError::NoSecretKey);
    }

    #[test]
    fn what_is_over_a_bound_is_refused_by_its_key() {
        let error = |config: TenantConfig| config.check().unwrap_err().to_string();
        for malformed in ["", "a b", "ä", "a/b", &"k".repeat(129)] {
            assert!(error(config(&[(malformed, "")], &[])).starts_with("invalid key"), "{malformed}");
        }
        let large = error(config(&[("large", &"x".repeat(MAX_VALUE + 1))], &[]));
        assert!(large.contains("\"large\" has 65537 bytes, at most 65536"), "{large}");
        let names: Vec<String> = (0..=MAX_KEYS).map(|number| format!("k{number}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert!(error(config(&many, &[])).contains("257 keys, at most 256"));
        let sealed = key().seal(&Tenant::default(), "both", "x").unwrap();
        assert!(error(config(&[("both", "")], &[("both", sealed)])).contains("a value and a secret"));
    }
}
