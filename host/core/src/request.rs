//! What a client submits. Fields, order and defaults are those of Mognet's payload.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::entries::Entries;
use crate::ids::{RequestId, TaskName};
use crate::json::Json;

/// The priority of a request that names none.
pub const DEFAULT_PRIORITY: u8 = 5;

/// The highest priority.
pub const MAX_PRIORITY: u8 = 10;

/// A request, in Mognet's payload format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The task that serves it.
    pub name: TaskName,
    /// Arguments by position.
    #[serde(default)]
    pub args: Vec<Json>,
    /// Arguments by name.
    #[serde(default)]
    pub kwargs: Entries,
    /// Ancestors, outermost first.
    #[serde(default)]
    pub stack: Vec<RequestId>,
    /// Metadata as submitted, copied to the result.
    #[serde(default)]
    pub metadata: Entries,
    /// When to stop and revoke it.
    #[serde(default)]
    pub deadline: Option<Deadline>,
    /// The queue to go through; none for the tenant's default.
    #[serde(default)]
    pub queue_name: Option<String>,
    /// The arguments as Python shows them, for people.
    #[serde(default)]
    pub kwargs_repr: Option<String>,
    /// 0 (last) to 10 (first).
    #[serde(default = "default_priority", deserialize_with = "check_priority")]
    pub priority: u8,
}

impl Request {
    /// A request of this task with everything else at its default.
    #[must_use]
    pub fn new(name: TaskName) -> Self {
        Self {
            id: RequestId::random(),
            name,
            args: Vec::new(),
            kwargs: Entries::new(),
            stack: Vec::new(),
            metadata: Entries::new(),
            deadline: None,
            queue_name: None,
            kwargs_repr: None,
            priority: DEFAULT_PRIORITY,
        }
    }

    /// The request that submitted this one.
    #[must_use]
    pub fn parent(&self) -> Option<RequestId> {
        self.stack.last().copied()
    }

    /// Bytes of all arguments.
    #[must_use]
    pub fn argument_size(&self) -> usize {
        self.args.iter().map(Json::size).sum::<usize>() + self.kwargs.size()
    }
}

fn default_priority() -> u8 {
    DEFAULT_PRIORITY
}

/// Mognet's workers take no request of another priority either.
fn check_priority<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let given = i64::deserialize(deserializer)?;
    let priority = u8::try_from(given).ok().filter(|priority| *priority <= MAX_PRIORITY);
    priority.ok_or_else(|| serde::de::Error::custom(format!("invalid priority {given}: expected 0 to {MAX_PRIORITY}")))
}

/// When a request is to be stopped. Text forms are read and written in [`crate::wire::deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// So long after the start of the attempt; a negative one has passed at once.
    After(SignedDuration),
    /// At this moment.
    At(Timestamp),
    /// At this moment of the node's local time: a time stamp that came without a zone.
    AtLocal(DateTime),
}

impl Deadline {
    /// The moment a deadline falls due, where it does not depend on the start.
    #[must_use]
    pub fn moment(&self) -> Option<Timestamp> {
        match self {
            Self::After(_) => None,
            Self::At(moment) => Some(*moment),
            // A local time that the zone skips or repeats is read as the earlier reading of the clock.
            Self::AtLocal(local) => TimeZone::system().to_timestamp(*local).ok(),
        }
    }

    /// How long after `start` the deadline falls due; zero or negative where it has passed.
    #[must_use]
    pub fn remaining(&self, start: Timestamp) -> SignedDuration {
        match self {
            Self::After(duration) => *duration,
            other => other.moment().map_or(SignedDuration::MAX, |moment| moment.duration_since(start)),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(duration) => fmt::Display::fmt(duration, f),
            Self::At(moment) => fmt::Display::fmt(moment, f),
            Self::AtLocal(local) => fmt::Display::fmt(local, f),
        }
    }
}
