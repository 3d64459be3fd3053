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
        let call = |call: &HttpCall| call.method.len() + call.host.len();
        let calls = self.receipt.http.calls.iter().map(call).sum::<usize>();
        self.error.as_ref().map_or(0, String::len) + self.log.iter().map(line).sum::<usize>() + calls
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
    /// HTTP requests that it sent.
    #[serde(default, skip_serializing_if = "HttpUse::is_none")]
    pub http: HttpUse,
}

/// HTTP requests of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpUse {
    /// How many, sent or refused.
    pub requests: u64,
    /// Bytes sent, headers and bodies together.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// The first hundred of them, in their order.
    pub calls: Vec<HttpCall>,
}

impl HttpUse {
    /// Whether there was none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.requests == 0
    }
}

/// One HTTP request. Its method and host are the guest's words: whoever shows them escapes them. Neither its path nor its headers are
/// kept, as they may hold secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpCall {
    /// The method.
    pub method: String,
    /// The host, with its port where that is not the scheme's own.
    pub host: String,
    /// The status of the answer, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was none: `denied`, `invalid`, `over-bound`, `timeout`, `failed`, or `cut-short` where the attempt ended before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// Milliseconds from the guest's call to the end.
    pub ms: u64,
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
