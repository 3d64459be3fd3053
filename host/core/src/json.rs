//! JSON that a stranger wrote: checked once for syntax, depth and size, then carried as the text it was.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// How deep arrays and objects may be nested in any JSON value of a request, a result, metadata or state.
pub const MAX_DEPTH: usize = 64;

/// A checked JSON value, kept as text: `3` stays `3` and `3.0` stays `3.0`.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Longer than allowed.
    #[error("{size} bytes of JSON, at most {limit} are allowed")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not RFC 8259, or nested deeper than [`MAX_DEPTH`]; says where.
    #[error("not valid JSON: {0}")]
    Malformed(String),
}

/// The JSON types as Python tells them apart, which is how Mognet names a value's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number without fraction and exponent.
    Int,
    /// Any other number.
    Float,
    /// A string.
    Str,
    /// An array.
    List,
    /// An object.
    Dict,
}

impl Json {
    /// Checks a text of at most `limit` bytes.
    pub fn parse(text: &str, limit: usize) -> Result<Self, JsonError> {
        if text.len() > limit {
            return Err(JsonError::TooLarge { size: text.len(), limit });
        }
        let malformed = |error: serde_json::Error| JsonError::Malformed(error.to_string());
        check(text).map_err(malformed)?;
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(malformed)?;
        Ok(Self(raw.into()))
    }

    /// The JSON of a value of ours.
    ///
    /// # Errors
    /// Where the value has a map with keys that are no strings, or is nested deeper than [`MAX_DEPTH`].
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        let text = serde_json::to_string(value).map_err(|error| JsonError::Malformed(error.to_string()))?;
        Self::parse(&text, usize::MAX)
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }

    /// A string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::of(text).unwrap_or_else(|_| Self::null())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Bytes of the text.
    #[must_use]
    pub fn size(&self) -> usize {
        self.as_str().len()
    }

    /// Which type the value has.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.as_str().as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::Str,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Dict,
            _ if self.as_str().contains(['.', 'e', 'E']) => Kind::Float,
            _ => Kind::Int,
        }
    }

    /// Reads the value as a type of ours.
    ///
    /// # Errors
    /// Where the value does not have that shape.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

/// Walks the whole text without building anything from it: strings, numbers and depth are checked as a reader would.
fn check(text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Check { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Check {
    depth: usize,
}

impl Check {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Check {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(self.deeper()?)?.is_some() {
            entries.next_value_seed(self.deeper()?)?;
        }
        Ok(())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        check(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(raw.into()))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json, JsonError> {
        Json::parse(text, 1 << 20)
    }

    #[test]
    fn numbers_keep_the_form_they_were_written_in() {
        assert_eq!(parse(" 3.0 ").unwrap().as_str(), "3.0");
        assert_eq!(parse("3.0").unwrap().kind(), Kind::Float);
        assert_eq!(parse("123456789012345678901234567890").unwrap().kind(), Kind::Int);
        assert_eq!(parse("1e3").unwrap().kind(), Kind::Float);
    }

    #[test]
    fn what_a_strict_reader_would_refuse_is_refused() {
        for bad in ["", "nan", "NaN", "[1,]", "{\"a\":1,}", "\"\\ud800\"", "1e999", "[1] 2", "'a'", "01"] {
            assert!(matches!(parse(bad), Err(JsonError::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded_without_recursion_running_away() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        let error = parse(&nested(MAX_DEPTH + 1)).unwrap_err().to_string();
        assert!(error.contains("nested deeper than 64"), "{error}");
        assert!(parse(&nested(100_000)).is_err());
    }

    #[test]
    fn size_is_checked_before_anything_else() {
        assert_eq!(Json::parse("[[[[", 3), Err(JsonError::TooLarge { size: 4, limit: 3 }));
    }
}
