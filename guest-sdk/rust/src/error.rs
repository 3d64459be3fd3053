//! Why the host did not do what was asked; the cases of the WIT's `error`.

use std::fmt;

/// Why the host did not do what was asked. The text is for people and names the offending value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// This attempt may not do that: it no longer holds the request.
    Denied(String),
    /// A value is over its bound in bytes or in depth.
    TooLarge(String),
    /// A count is over its bound: keys, children, depth of requests, ids of one wait. Too many calls of the host, or bytes in them,
    /// are no error but end the attempt.
    Limit(String),
    /// There is no such request, or its result was deleted.
    NotFound(String),
    /// A value is malformed, an id is waited for twice, or a value does not decode as the type that was asked for.
    Invalid(String),
    /// The store or the broker did not answer in time; trying again may help.
    Unavailable(String),
}

impl Error {
    /// The case as one word, which is the `kind` of a task that fails with it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Denied(_) => "Denied",
            Self::TooLarge(_) => "TooLarge",
            Self::Limit(_) => "Limit",
            Self::NotFound(_) => "NotFound",
            Self::Invalid(_) => "Invalid",
            Self::Unavailable(_) => "Unavailable",
        }
    }

    fn text(&self) -> (&'static str, &str) {
        match self {
            Self::Denied(text) => ("denied", text),
            Self::TooLarge(text) => ("too large", text),
            Self::Limit(text) => ("limit", text),
            Self::NotFound(text) => ("not found", text),
            Self::Invalid(text) => ("invalid", text),
            Self::Unavailable(text) => ("unavailable", text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, text) = self.text();
        write!(f, "{case}: {text}")
    }
}

impl std::error::Error for Error {}
