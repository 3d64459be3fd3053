//! Names of things: each is checked once, where it enters, and safe in a key, a path and a log line ever after.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A name that is not allowed, with what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: expected {expected}")]
pub struct InvalidName {
    what: &'static str,
    value: String,
    expected: &'static str,
}

impl InvalidName {
    fn new(what: &'static str, value: &str, expected: &'static str) -> Self {
        let value = value.chars().take(80).collect();
        Self { what, value, expected }
    }
}

/// The id of a request: a UUID, in its usual lower-case text form in JSON and 16 raw bytes in Redis sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new random id.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id as Mognet stores it in a set of children.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id from its 16 raw bytes; none for any other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|_| InvalidName::new("request id", text, "a UUID such as 9b09b78c-688f-4d40-b7ba-1a1fb10215e2"))
    }
}

/// Declares a checked text: what it is called, which texts are allowed, and how to say so.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $allowed:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let allowed: fn(char) -> bool = $allowed;
                let fits = !text.is_empty() && text.len() <= $max && text.chars().all(allowed);
                if fits { Ok(Self(text.into())) } else { Err(InvalidName::new($what, text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name!(
    /// A Mognet application name; it prefixes every queue and key of its requests.
    Tenant, "tenant", 64, |c| c.is_ascii_alphanumeric() || "._-".contains(c), "1 to 64 letters, digits, '.', '_' or '-'"
);
checked_name!(
    /// A queue of a tenant, without the tenant's prefix. Mognet's default is `tasks`.
    QueueName, "queue", 64, |c| c.is_ascii_alphanumeric() || "._-".contains(c), "1 to 64 letters, digits, '.', '_' or '-'"
);
checked_name!(
    /// The name of a task, such as `example.add`.
    TaskName, "task name", 256, |c| c.is_ascii_alphanumeric() || "._-:".contains(c), "1 to 256 letters, digits, '.', '_', '-' or ':'"
);
checked_name!(
    /// A running host process; random at each start, so that no two ever share one.
    NodeId, "node id", 128, |c| c.is_ascii_alphanumeric() || "._-@".contains(c), "1 to 128 letters, digits, '.', '_', '-' or '@'"
);

impl NodeId {
    /// A new random node id.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("node-{}", Uuid::new_v4().simple()).into())
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self("tasks".into())
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self("default".into())
    }
}

/// The SHA-256 digest of a module's bytes: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::new("digest", text, "64 hexadecimal digits (SHA-256)");
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_with_a_brace_or_a_colon_is_refused_and_named() {
        for bad in ["", "a:b", "a{b}", "a b", "a\n", &"x".repeat(65)] {
            let error = bad.parse::<Tenant>().unwrap_err().to_string();
            assert!(error.starts_with("invalid tenant"), "{error}");
        }
        assert_eq!("acme-1.x_y".parse::<Tenant>().unwrap().as_str(), "acme-1.x_y");
    }

    #[test]
    fn a_digest_reads_back_what_it_writes() {
        let digest = Digest::of(b"module");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("zz".parse::<Digest>().is_err());
    }
}
