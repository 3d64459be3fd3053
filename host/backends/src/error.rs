//! Failures of a backend, in the words of the ports.

use mogbox_core::broker::BrokerError;
use mogbox_core::store::StoreError;

/// Why a call to a backend failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// It does not answer, or refuses to write; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It holds something that makes no sense.
    #[error("malformed: {0}")]
    Malformed(String),
}

impl From<BackendError> for StoreError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Unavailable(text) => Self::Unavailable(text),
            BackendError::Malformed(text) => Self::Malformed(text),
        }
    }
}

impl From<BackendError> for BrokerError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Unavailable(text) => Self::Unavailable(text),
            BackendError::Malformed(text) => Self::Malformed(text),
        }
    }
}

/// Why a backend could not be opened, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {what}: {why}; {way_out}")]
pub struct OpenError {
    /// Which, without secrets.
    pub(crate) what: String,
    /// What went wrong.
    pub(crate) why: String,
    /// What whoever runs the node can do.
    pub(crate) way_out: String,
}
