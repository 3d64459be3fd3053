//! How an attempt ended. Data, not an error: the worker decides from it what becomes of the request.

use std::time::Duration;

use crate::executor::StopReason;
use crate::json::Json;
use crate::limits::Bound;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The task returned a value.
    Success(Json),
    /// The task ran and says it failed.
    Failed(Failure),
    /// The task says its arguments do not fit.
    InvalidArguments(Vec<ArgumentError>),
    /// The module does not serve that name after all.
    UnknownTask,
    /// The task asks for another attempt, counted against its retries.
    Retry {
        /// Why.
        message: String,
        /// How long to wait first; the back-off where none.
        after: Option<Duration>,
    },
    /// The task asks to run again later; not a failure.
    Pause {
        /// How long to wait first; none for the default.
        after: Option<Duration>,
    },
    /// The guest crashed: a trap, a panic, or an answer that is not what the WIT says.
    Trapped {
        /// A short class, such as `unreachable` or `out-of-bounds`.
        class: String,
        /// What happened, for people.
        message: String,
    },
    /// A bound of the sandbox was reached.
    OverBound {
        /// Which.
        bound: Bound,
        /// What it is set to, with its unit.
        limit: String,
    },
    /// The request's deadline passed while it ran.
    DeadlinePassed,
    /// The host stopped the attempt.
    Stopped(StopReason),
    /// The host could not run it, through no fault of the task: another attempt may do better.
    Unavailable(String),
}

/// A failure that a task reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// A short class of the error.
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// Anything a program may want to read.
    pub details: Option<Json>,
}

/// An argument that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentError {
    /// Its name or position.
    pub argument: String,
    /// Why, and what is expected.
    pub message: String,
}
