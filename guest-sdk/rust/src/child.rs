//! Children: requests that a task submits and may wait for.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::{self, encode};
use crate::{Error, TaskError};

/// A child to submit: a task's name, then what it gets.
///
/// ```
/// use mogbox_guest::Child;
/// let child = Child::new("example.add").arg(1.0).kwarg("n2", 2.0).metadata("user_id", "dol").priority(8);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a child runs only once it is submitted"]
pub struct Child {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) kwargs: Vec<(String, String)>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) priority: Option<u8>,
    pub(crate) queue: Option<String>,
    pub(crate) deadline: Option<Duration>,
    /// The first value that is no JSON, told when the child is submitted.
    pub(crate) error: Option<Error>,
}

impl Child {
    /// A child that runs the task of this name.
    pub fn new(name: impl Into<String>) -> Self {
        let (args, kwargs, metadata) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.into(), args, kwargs, metadata, priority: None, queue: None, deadline: None, error: None }
    }

    /// Adds an argument by position.
    pub fn arg(mut self, value: impl Serialize) -> Self {
        let text = self.encoded("an argument", value);
        self.args.push(text);
        self
    }

    /// Adds an argument by name.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        let text = self.encoded(&name, value);
        self.kwargs.push((name, text));
        self
    }

    /// Adds metadata.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        let key = key.into();
        let text = self.encoded(&key, value);
        self.metadata.push((key, text));
        self
    }

    /// 0 (last) to 10 (first); 5 without this.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The queue to send it through; the tenant's default without this.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Time from its start after which it is stopped and revoked.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    fn encoded(&mut self, what: &str, value: impl Serialize) -> String {
        encode(what, value).unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            String::new()
        })
    }
}

/// The id of a child that was submitted, a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ChildId(pub String);

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a child stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildOutcome {
    /// Its value, JSON text; see [`ChildOutcome::value`].
    Success(String),
    /// It failed; the text is the error's.
    Failure(String),
    /// It was revoked, or its deadline passed.
    Revoked(String),
    /// No module serves its name, or its arguments do not fit.
    Invalid(String),
    /// It is not done yet.
    Pending,
}

impl ChildOutcome {
    /// The child's value; without one, or where it does not decode, the parent's failure of kind `ChildFailed`, `ChildRevoked`,
    /// `ChildInvalid`, `ChildPending` or `Invalid`.
    ///
    /// # Errors
    /// As above.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, TaskError> {
        match self {
            Self::Success(text) => Ok(json::decode("the child's value", text)?),
            Self::Failure(text) => Err(TaskError::failed("ChildFailed", text)),
            Self::Revoked(text) => Err(TaskError::failed("ChildRevoked", text)),
            Self::Invalid(text) => Err(TaskError::failed("ChildInvalid", text)),
            Self::Pending => Err(TaskError::failed("ChildPending", "the child is not done yet")),
        }
    }

    /// Whether the child is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        *self != Self::Pending
    }
}
