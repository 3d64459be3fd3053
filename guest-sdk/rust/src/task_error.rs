//! How a task ends without a value: it failed, its arguments do not fit, or it asks to run again.

use std::any::{Any, type_name};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// How a task ends without a value. `?` turns any error of the standard library's trait into [`TaskError::Failed`], whose kind is
/// the error's type, or the case of an [`Error`] of the host.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskError {
    /// The task failed.
    Failed {
        /// A short class of the error, such as `ValueError`.
        kind: String,
        /// What went wrong, for people.
        message: String,
        /// Anything more there is to say, any JSON; kept with the result as text for people.
        details: Option<Value>,
    },
    /// These arguments do not fit. Tasks seldom answer it themselves: their arguments are checked before they run.
    InvalidArguments(Vec<ArgumentError>),
    /// This module serves no task of that name.
    UnknownTask,
    /// Run again from the beginning, counted against the retries; state is kept.
    Retry {
        /// Why, for people.
        message: String,
        /// Time to wait first; the host's back-off where absent.
        after: Option<Duration>,
    },
    /// Run again from the beginning, not counted as a failure; state is kept. The time is what to wait first.
    Pause(Option<Duration>),
}

/// One argument that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentError {
    /// The argument's name, or its position, from 1, where it has none.
    pub argument: String,
    /// Why, and what is expected.
    pub message: String,
}

impl TaskError {
    /// The task failed, with a short class of the error and what went wrong.
    #[must_use]
    pub fn failed(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Failed { kind: kind.into(), message: message.into(), details: None }
    }

    /// The same failure with details, any JSON. Other errors, and details that are no JSON, leave it as it is.
    #[must_use]
    pub fn with_details(mut self, given: impl Serialize) -> Self {
        if let Self::Failed { details, .. } = &mut self {
            *details = serde_json::to_value(given).ok();
        }
        self
    }

    /// Run again after the host's back-off, as often as the tenant's retries allow.
    #[must_use]
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry { message: message.into(), after: None }
    }

    /// Run again after a time, as often as the tenant's retries allow.
    #[must_use]
    pub fn retry_after(message: impl Into<String>, after: Duration) -> Self {
        Self::Retry { message: message.into(), after: Some(after) }
    }

    /// Give the place on the node to others and run again.
    #[must_use]
    pub fn pause() -> Self {
        Self::Pause(None)
    }

    /// Give the place on the node to others and run again after a time.
    #[must_use]
    pub fn pause_after(after: Duration) -> Self {
        Self::Pause(Some(after))
    }
}

/// `TaskError` is no `std::error::Error` itself, which makes this possible.
impl<E: std::error::Error + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        let kind = match (&error as &dyn Any).downcast_ref::<Error>() {
            Some(error) => error.kind(),
            None => short_name(type_name::<E>()),
        };
        Self::failed(kind, with_sources(&error))
    }
}

/// `ParseIntError` of `core::num::error::ParseIntError`.
fn short_name(path: &str) -> &str {
    let plain = path.split('<').next().unwrap_or(path);
    plain.rsplit("::").next().unwrap_or(plain)
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_libraries_and_of_the_host_become_failures_with_a_kind() {
        let parsed = || -> Result<u8, TaskError> { Ok("x".parse::<u8>()?) };
        assert_eq!(parsed().unwrap_err(), TaskError::failed("ParseIntError", "invalid digit found in string"));
        let asked = || -> Result<(), TaskError> { Err(Error::Limit("10 calls".into()))? };
        assert_eq!(asked().unwrap_err(), TaskError::failed("Limit", "limit: 10 calls"));
    }

    #[test]
    fn details_are_any_json() {
        let TaskError::Failed { details, .. } = TaskError::failed("K", "m").with_details([1, 2]) else { panic!() };
        assert_eq!(details, Some(serde_json::json!([1, 2])));
    }
}
