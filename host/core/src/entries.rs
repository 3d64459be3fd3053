//! JSON by key, in the order it came: keyword arguments, metadata, state, log fields. On the wire a JSON object.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::Json;

/// Bytes of the longest key.
pub const MAX_KEY: usize = 256;

/// Keys with their values; each key once, the last one given wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries(Vec<(String, Json)>);

/// A key that is empty, longer than [`MAX_KEY`] bytes, or has control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid key {0:?}: expected at most {MAX_KEY} bytes without control characters")]
pub struct InvalidKey(String);

/// Checks one key.
///
/// # Errors
/// Where the key is malformed; the error shows at most its first 80 characters.
pub fn check_key(key: &str) -> Result<(), InvalidKey> {
    let fits = key.len() <= MAX_KEY && !key.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(InvalidKey(key.chars().take(80).collect())) }
}

impl Entries {
    /// No entries.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// Every key with its value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.size()).sum()
    }

    /// The same entries, sorted by key.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        self
    }
}

impl FromIterator<(String, Json)> for Entries {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(entries: I) -> Self {
        let mut unique: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        for (key, value) in entries {
            match seen.get(&key) {
                Some(&at) => {
                    if let Some((_, old)) = unique.get_mut::<usize>(at) {
                        *old = value;
                    }
                }
                None => {
                    seen.insert(key.clone(), unique.len());
                    unique.push((key, value));
                }
            }
        }
        Self(unique)
    }
}

impl IntoIterator for Entries {
    type Item = (String, Json);
    type IntoIter = std::vec::IntoIter<(String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            check_key(&key).map_err(A::Error::custom)?;
            entries.push((key, value));
        }
        Ok(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_its_order_and_the_last_of_equal_keys() {
        let entries: Entries = serde_json::from_str(r#"{"b":1,"a":2.0,"b":3}"#).unwrap();
        assert_eq!(serde_json::to_string(&entries).unwrap(), r#"{"b":3,"a":2.0}"#);
        assert_eq!(entries.size(), 6);
    }

    #[test]
    fn a_key_with_a_control_character_is_refused() {
        assert!(serde_json::from_str::<Entries>(r#"{"a\u0000":1}"#).is_err());
        assert!(check_key(&"k".repeat(257)).is_err());
        assert!(check_key("schlüssel").is_ok());
    }
}
