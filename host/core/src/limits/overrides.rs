//! Bounds that are laid down for one tenant or one task, as `{"memory": "16MiB"}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Bound, LimitError};

/// Some bounds with their values. As JSON an object: name to value with its unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Overrides(BTreeMap<&'static str, (Bound, u64)>);

impl Overrides {
    /// Sets one from text, such as `memory` and `16MiB`.
    ///
    /// # Errors
    /// As [`Bound::read`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LimitError> {
        let (bound, number) = Bound::read(name, value)?;
        self.0.insert(bound.name(), (bound, number));
        Ok(())
    }

    /// Takes one back.
    ///
    /// # Errors
    /// Where there is no such bound.
    pub fn unset(&mut self, name: &str) -> Result<(), LimitError> {
        self.0.remove(Bound::named(name)?.name());
        Ok(())
    }

    /// Each bound and its value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (Bound, u64)> {
        self.0.values().copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Overrides {
    type Error = LimitError;

    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, LimitError> {
        let mut overrides = Self::default();
        texts.iter().try_for_each(|(name, value)| overrides.set(name, value))?;
        Ok(overrides)
    }
}

impl From<Overrides> for BTreeMap<String, String> {
    fn from(overrides: Overrides) -> Self {
        overrides.iter().map(|(bound, number)| (bound.name().to_owned(), bound.unit().show(number))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn overrides_are_read_from_what_people_write_and_written_the_same() {
        let text = r#"{"children":"7","memory":"16MiB"}"#;
        let overrides: Overrides = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&overrides).unwrap(), text);
        let limits = Limits::default().with(&overrides);
        assert_eq!((limits.children, limits.memory, limits.state), (7, 16 << 20, Limits::default().state));
        let refused = serde_json::from_str::<Overrides>(r#"{"memory":"5GiB"}"#).unwrap_err().to_string();
        assert_eq!(refused, "5GiB is over the maximum of the bound memory, 4GiB");
    }

    #[test]
    fn a_task_may_only_have_less() {
        let overrides: Overrides = serde_json::from_str(r#"{"children":"7","memory":"1GiB"}"#).unwrap();
        let limits = Limits::default().lowered(&overrides);
        assert_eq!((limits.children, limits.memory), (7, Limits::default().memory));
    }
}
