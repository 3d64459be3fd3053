//! Why a host call did not do what was asked; the cases of the WIT's `error`.

use serde::{Deserialize, Serialize};

use crate::entries::InvalidKey;
use crate::json::JsonError;
use crate::limits::{Bound, Unit};

/// Why a host call did not do what was asked. The text is for the guest's author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ContextError {
    /// This task may not do that.
    #[error("denied: {0}")]
    Denied(String),
    /// A value is over its bound in bytes.
    #[error("too large: {0}")]
    TooLarge(String),
    /// A count is over its bound.
    #[error("limit: {0}")]
    Limit(String),
    /// There is no such request.
    #[error("not found: {0}")]
    NotFound(String),
    /// A value is malformed.
    #[error("invalid: {0}")]
    Invalid(String),
    /// The store or broker does not answer.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl ContextError {
    pub(crate) fn over(bound: Bound, explained: String) -> Self {
        match bound.unit() {
            Unit::Bytes => Self::TooLarge(explained),
            Unit::Milliseconds | Unit::Count | Unit::Percent => Self::Limit(explained),
        }
    }
}

impl From<InvalidKey> for ContextError {
    fn from(error: InvalidKey) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<JsonError> for ContextError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            JsonError::Malformed(_) => Self::Invalid(error.to_string()),
        }
    }
}
