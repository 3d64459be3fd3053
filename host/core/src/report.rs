//! What is kept of an attempt beside Mognet's result: what it used, what it logged, how it ended in full.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entries::Entries;
use crate::ids::{Digest, NodeId};
use crate::signature::KeyId;

/// What an attempt used and did. Stored under Mogbox's own key beside the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which attempt.
    pub attempt: u32,
    /// What it used.
    pub receipt: Receipt,
    /// The error in full, where it ended with one.
    pub error: Option<String>,
    /// Its log, bounded.
    pub log: Vec<LogLine>,
    /// Lines beyond the bounds, dropped.
    pub dropped_lines: u64,
}

impl Report {
    /// Bytes of its texts.
    #[must_use]
    pub fn size(&self) -> usize {
        let line = |line: &LogLine| line.message.len() + line.fields.size();
        self.error.as_ref().map_or(0, String::len) + self.log.iter().map(line).sum::<usize>()
    }
}

/// What an attempt used. Durations are microseconds, sizes bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Time from the hand-out's due time to the start.
    pub queued_us: u64,
    /// When the guest was started; none where it never was.
    pub started: Option<Timestamp>,
    /// Wall time of the attempt.
    pub run_us: u64,
    /// CPU time of the guest.
    pub cpu_us: u64,
    /// The most memory it held, over all memories and tables.
    pub peak_memory: u64,
    /// Calls to the host.
    pub host_calls: u64,
    /// Bytes in and out of these calls.
    pub host_bytes: u64,
    /// The module.
    pub module: Option<Digest>,
    /// The key of the tenant's that signed it, where the tenant asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<KeyId>,
    /// The engine, such as `wasmtime 48.0.8`.
    pub engine: String,
    /// The node.
    pub node_id: Option<NodeId>,
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Finest.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is off.
    Warn,
    /// Something failed.
    Error,
}

/// One line of an attempt's log. Text of the guest's, as it came: whoever shows it escapes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When the host took it.
    pub at: Timestamp,
    /// How grave; standard output is `info`, standard error `warn`.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Structured fields.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub fields: Entries,
}
