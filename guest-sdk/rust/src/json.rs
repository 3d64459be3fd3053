//! JSON text to values and back, with errors that name what did not fit.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// Characters of a value or of a reason that a message shows.
const SHOWN: usize = 80;

/// Makes JSON text; `what` names the value in the error.
pub(crate) fn encode(what: &str, value: impl Serialize) -> Result<String, Error> {
    serde_json::to_string(&value).map_err(|error| Error::Invalid(format!("{what} is no JSON: {}", cut(&error.to_string()))))
}

/// Reads JSON text; `what` names the value in the error.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Invalid(format!("{what} is {}: {}", cut(text), reason(&error))))
}

/// Any JSON; text that is none stays what it is.
pub(crate) fn any(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Pairs of keys and JSON texts from values.
pub(crate) fn entries<K, V>(given: impl IntoIterator<Item = (K, V)>) -> Result<Vec<(String, String)>, Error>
where
    K: Into<String>,
    V: Serialize,
{
    let each = given.into_iter().map(|(key, value)| (key.into(), value));
    each.map(|(key, value)| encode(&key, value).map(|text| (key, text))).collect()
}

/// A text cut to what a message shows.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// Why a value does not decode, without the place in a text that people do not see.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    cut(text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_type_is_named_and_cut() {
        let text = format!("\"{}\"", "é".repeat(500));
        let Err(Error::Invalid(message)) = decode::<u8>("key", &text) else { panic!() };
        assert!(message.starts_with("key is \"éé") && message.contains("…: invalid type: string"), "{message}");
        assert!(message.chars().count() < 200, "{message}");
        assert_eq!(decode::<u8>("key", "300").unwrap_err().to_string(), "invalid: key is 300: invalid value: integer `300`, expected u8");
    }
}
