//! What is stored of a request, in Mognet's words. How it is written is in [`crate::wire`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::RequestId;
use crate::json::Json;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Submitted, not started.
    Pending,
    /// An attempt runs.
    Running,
    /// It waits: for children, for the end of a pause, or for another node.
    Suspended,
    /// Done, with a value.
    Success,
    /// Done, with an error.
    Failure,
    /// Stopped on demand or by its deadline.
    Revoked,
    /// Never ran: no such task, or arguments that do not fit.
    Invalid,
}

impl State {
    /// Whether the state never changes again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Revoked | Self::Invalid)
    }

    /// The state as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Suspended => "SUSPENDED",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Revoked => "REVOKED",
            Self::Invalid => "INVALID",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Mognet's result: the fields of its hash, each written as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestResult {
    /// The request's id.
    pub id: RequestId,
    /// The task; none where the request was revoked before it was known.
    pub name: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Attempts begun and resumed.
    pub number_of_starts: u32,
    /// Attempts ended and suspended.
    pub number_of_stops: u32,
    /// The request that submitted it.
    pub parent_id: Option<RequestId>,
    /// When it was submitted.
    pub created: Option<Timestamp>,
    /// When its last attempt started.
    pub started: Option<Timestamp>,
    /// When it reached its final state.
    pub finished: Option<Timestamp>,
    /// The node of the last attempt. Text, as other software writes here too.
    pub node_id: Option<String>,
    /// The arguments as Python shows them.
    pub request_kwargs_repr: Option<String>,
    /// Further attempts that its task asked for. Not Mognet's: a field `retries` that is there only while it is above 0 and the
    /// result is not final.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
}

/// Serde asks by reference.
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl RequestResult {
    /// Attempts that began and did not end: each a crash of its node.
    #[must_use]
    pub fn unexpected_retries(&self) -> u32 {
        self.number_of_starts.saturating_sub(self.number_of_stops)
    }
}

/// What a result's value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The task's value.
    Success(Json),
    /// The error that a Mognet client raises.
    Exception(Exception),
}

impl Value {
    /// Bytes of its text, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Success(json) => json.size(),
            Self::Exception(Exception::Failed { kind, message, traceback }) => kind.len() + message.len() + traceback.len(),
            Self::Exception(Exception::InvalidTaskArguments(errors)) => {
                errors.iter().map(|(argument, reason)| argument.len() + reason.len()).sum()
            }
            Self::Exception(_) => 0,
        }
    }
}

/// The errors that a Mognet client raises, a fixed set: no guest chooses a class. Each text is the only thing that varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exception {
    /// `Exception(message)`: the task failed. `kind` and `traceback` are shown to people only.
    Failed {
        /// A short class of the error, as the guest named it.
        kind: String,
        /// What went wrong.
        message: String,
        /// More for people.
        traceback: String,
    },
    /// `UnknownTask(name)`.
    UnknownTask(String),
    /// `InvalidTaskArguments(errors)`: argument and reason of each.
    InvalidTaskArguments(Vec<(String, String)>),
    /// `asyncio.TimeoutError()`: the deadline passed.
    Timeout,
    /// `TooManyRetries(id, actual, max)`.
    TooManyRetries {
        /// The request.
        id: RequestId,
        /// Attempts that did not end.
        actual: u32,
        /// Those allowed.
        max: u32,
    },
    /// `RecursionError()`: too many ancestors.
    RecursionLimit,
    /// `ResultNotReady()`: what stands in for the value of a request revoked before it was known.
    NotReady,
}
