//! Answers: too large or too deep.

use mogbox_guest::{serde_json::Value, task};

/// Answers a text of so many bytes.
#[task(name = "hostile.big_result")]
pub(crate) fn big_result(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Answers arrays in arrays, so deep.
#[task(name = "hostile.deep_json")]
pub(crate) fn deep_json(depth: u32) -> Value {
    deep(depth)
}

/// Arrays in arrays, so deep.
pub(crate) fn deep(depth: u32) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}
