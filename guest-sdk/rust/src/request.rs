//! What a client submitted, as the running task sees it.

use std::time::Duration;

use serde_json::{Map, Value};

/// What a client submitted. Metadata that the task stores does not change it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its id, a UUID.
    pub id: String,
    /// The task's name.
    pub name: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Map<String, Value>,
    /// Metadata as submitted.
    pub metadata: Map<String, Value>,
    /// Ids of its ancestors, outermost first; empty for a request that no task submitted.
    pub stack: Vec<String>,
    /// Which hand-out of the request to a node this is, from 1. It grows with every attempt, but may skip numbers: hand-outs that
    /// ended before the task started count as well.
    pub attempt: u32,
    /// 0 (last) to 10 (first).
    pub priority: u8,
    /// The queue it came through.
    pub queue: String,
    /// The application that submitted it.
    pub tenant: String,
    /// Time left until its deadline when the attempt started.
    pub deadline: Option<Duration>,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the author.
    Debug,
    /// What happens.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}
