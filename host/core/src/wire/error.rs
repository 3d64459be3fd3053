//! Why a text is not what Mognet or Mogbox writes. Each error names the value, shortened, as strangers write it.

/// Characters of a stranger's text that an error shows.
const SHOWN: usize = 120;

/// A message, result or value that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// More bytes than allowed.
    #[error("{what} of more than {limit} bytes: at most that many are allowed")]
    TooLarge {
        /// What was read.
        what: &'static str,
        /// Bytes allowed.
        limit: usize,
    },
    /// A message of another kind than the one expected.
    #[error("unknown kind {kind:?}: expected \"{expected}\"")]
    UnknownKind {
        /// As it came.
        kind: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A part whose text is not what belongs there.
    #[error("malformed {what} {value:?}: {reason}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// Its beginning.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl WireError {
    pub(super) fn malformed(what: &'static str, value: &str, reason: impl std::fmt::Display) -> Self {
        Self::Malformed { what, value: excerpt(value), reason: excerpt(&reason.to_string()) }
    }

    pub(super) fn unknown_kind(kind: &str, expected: &'static str) -> Self {
        Self::UnknownKind { kind: excerpt(kind), expected }
    }
}

/// The beginning of a text.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
