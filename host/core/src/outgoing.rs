//! Requests that guests send: the port to whoever sends them, what may be asked of it, and what comes back. A request and its answer
//! are whole values, so that one call carries each. Knows names and rules, but no HTTP library and no network.

mod message;
mod meter;
mod rules;
mod target;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ids::Tenant;

pub use message::{OutgoingRequest, OutgoingResponse, Waits};
pub(crate) use meter::HttpMeter;
pub use rules::{HttpRule, HttpRules, InvalidRule, MAX_RULES};
pub use target::{InvalidTarget, Scheme, Target};

/// Why there is no answer to a request. The text is for the guest's author, and says what is allowed or who can allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum FetchError {
    /// It may not be sent there, or not so.
    #[error("denied: {0}")]
    Denied(String),
    /// It is malformed.
    #[error("invalid: {0}")]
    Invalid(String),
    /// It, or its answer, is over a bound.
    #[error("over a bound: {0}")]
    OverBound(String),
    /// There was no answer in time.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The other side cannot be reached, or answered with what is no answer.
    #[error("failed: {0}")]
    Failed(String),
}

impl FetchError {
    /// The kind, in one word, for receipts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Invalid(_) => "invalid",
            Self::OverBound(_) => "over-bound",
            Self::Timeout(_) => "timeout",
            Self::Failed(_) => "failed",
        }
    }

    /// What happened, without the kind.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Denied(text) | Self::Invalid(text) | Self::OverBound(text) | Self::Timeout(text) | Self::Failed(text) => text,
        }
    }
}

/// What holds for one request beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchBounds {
    /// Whether it may go to addresses of the node's own machine and network; the operator says so in a rule.
    pub private: bool,
    /// Bytes that its answer may have, headers and body together.
    pub answer: usize,
    /// Time for all of it.
    pub time: Duration,
    /// Requests of the tenant that this node sends at once; the others wait for their turn.
    pub concurrency: usize,
}

/// Sends requests. It checks each address that a name stands for when it connects, follows no redirect, and adds nothing that names the
/// node or another tenant.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Sends one request, and returns its answer as a whole. Dropped, it stops at once.
    ///
    /// # Errors
    /// See [`FetchError`].
    async fn fetch(&self, tenant: &Tenant, request: OutgoingRequest, within: FetchBounds) -> Result<OutgoingResponse, FetchError>;
}

/// Sends nothing: for nodes and tests without a network.
#[derive(Debug, Clone, Copy)]
pub struct NoFetch;

#[async_trait]
impl Fetch for NoFetch {
    async fn fetch(&self, _: &Tenant, _: OutgoingRequest, _: FetchBounds) -> Result<OutgoingResponse, FetchError> {
        Err(FetchError::Denied("this node sends no HTTP requests".into()))
    }
}
