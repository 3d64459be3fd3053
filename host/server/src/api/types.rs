//! The bodies of `/v1`, shared by the API that writes them and the command line that reads them. All JSON; times are RFC 3339,
//! ids are UUIDs, digests are SHA-256 in hexadecimal.

mod tenants;

use jiff::Timestamp;
use mogbox_core::broker::{Backlog, DeadLetter};
use mogbox_core::module::{Inspection, TaskDescription, Version};
use mogbox_core::result::{Exception, Value};
use mogbox_core::signature::KeyId;
use mogbox_core::{Deadline, Digest, Entries, Json, NodeId, QueueName, Report, RequestId, RequestResult, State, TaskName};
use serde::{Deserialize, Serialize};

pub(crate) use tenants::*;

/// `POST /v1/requests`: a request to submit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRequest {
    /// The task.
    pub(crate) name: TaskName,
    /// Arguments by position.
    #[serde(default)]
    pub(crate) args: Vec<Json>,
    /// Arguments by name.
    #[serde(default)]
    pub(crate) kwargs: Entries,
    /// Metadata of the result from its start.
    #[serde(default)]
    pub(crate) metadata: Entries,
    /// 0 (last) to 10 (first); 5 where absent.
    #[serde(default)]
    pub(crate) priority: Option<u8>,
    /// When to stop and revoke it: an ISO 8601 duration from its start, seconds from its start, or a moment.
    #[serde(default)]
    pub(crate) deadline: Option<Deadline>,
    /// The queue to go through; `tasks` where absent.
    #[serde(default)]
    pub(crate) queue: Option<QueueName>,
    /// Milliseconds to hold it back first.
    #[serde(default)]
    pub(crate) delay_ms: u64,
    /// Its id; a random one where absent. Submitting the same id again is safe and changes nothing.
    #[serde(default)]
    pub(crate) id: Option<RequestId>,
    /// Take it although no active module serves the task now.
    #[serde(default)]
    pub(crate) allow_unknown: bool,
}

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submitted {
    /// The request.
    pub(crate) id: RequestId,
    /// The task.
    pub(crate) name: TaskName,
}

/// `GET /v1/requests/{id}`: all there is of a request. What was not asked for, or is not there, is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RequestView {
    /// Mognet's result: state, times, counts.
    #[serde(flatten)]
    pub(crate) result: RequestResult,
    /// What the task returned, on SUCCESS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Json>,
    /// Why it ended otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorView>,
    /// Metadata, sorted by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Entries>,
    /// Requests that it submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) children: Option<Vec<RequestId>>,
    /// Receipt and log of its last finished attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Report>,
}

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorView {
    /// What kind of end it was.
    pub(crate) code: ErrorCode,
    /// In words.
    pub(crate) message: String,
    /// A short class of the error, as the task named it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    /// More for people, several lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) traceback: String,
}

/// The kinds of end that are no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ErrorCode {
    /// The task failed, crashed, or went over a bound.
    Failed,
    /// No module served the task.
    UnknownTask,
    /// The arguments do not fit the task.
    InvalidArguments,
    /// The deadline passed.
    DeadlinePassed,
    /// Too many attempts ended unexpectedly.
    TooManyRetries,
    /// Too many ancestors.
    TooDeep,
    /// Somebody revoked it.
    Revoked,
}

impl ErrorView {
    /// The error as a client reads it.
    pub(crate) fn of(exception: Exception) -> Self {
        let text = exception.to_string();
        let view = |code| Self { code, message: text, kind: String::new(), traceback: String::new() };
        match exception {
            Exception::Failed { kind, message, traceback } => Self { code: ErrorCode::Failed, message, kind, traceback },
            Exception::UnknownTask(_) => view(ErrorCode::UnknownTask),
            Exception::InvalidTaskArguments(_) => view(ErrorCode::InvalidArguments),
            Exception::Timeout => view(ErrorCode::DeadlinePassed),
            Exception::TooManyRetries { .. } => view(ErrorCode::TooManyRetries),
            Exception::RecursionLimit => view(ErrorCode::TooDeep),
            // Mognet's client leaves the same behind whether the request ran or not.
            Exception::NotReady => Self { message: "revoked".to_owned(), ..view(ErrorCode::Revoked) },
        }
    }
}

impl RequestView {
    /// A result with nothing beside it yet.
    pub(crate) fn of(result: RequestResult) -> Self {
        Self { result, value: None, error: None, metadata: None, children: None, report: None }
    }

    /// The view with the value, or the error that stands in its place.
    pub(crate) fn with_value(mut self, value: Option<Value>) -> Self {
        match value {
            Some(Value::Success(json)) => self.value = Some(json),
            Some(Value::Exception(exception)) => self.error = Some(ErrorView::of(exception)),
            None => {}
        }
        self
    }
}

/// `POST /v1/requests/{id}/revoke`: what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revoked {
    /// The request.
    pub(crate) id: RequestId,
    /// Its state now: REVOKED, or the final state it had already.
    pub(crate) state: State,
    /// Requests that were revoked, descendants included; 0 where it was final already.
    pub(crate) revoked: usize,
    /// Whether every descendant was reached; false for trees over the bounds.
    pub(crate) complete: bool,
}

/// `PUT /v1/modules/{name}` and each entry of `GET /v1/modules`: the active version of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModuleSummary {
    /// The module's name.
    pub(crate) name: String,
    /// SHA-256 of the active version.
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) size: u64,
    /// When it was uploaded.
    pub(crate) uploaded: Timestamp,
    /// What it serves.
    pub(crate) tasks: Vec<TaskDescription>,
    /// The key that signed it, where the tenant asks for signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signed_by: Option<KeyId>,
}

impl ModuleSummary {
    /// A version under its module's name.
    pub(crate) fn of(name: &str, version: &Version) -> Self {
        let Version { digest, size, uploaded, tasks, signed_by } = version.clone();
        Self { name: name.to_owned(), digest, size, uploaded, tasks, signed_by }
    }
}

/// `PUT /v1/modules/{name}?dry_run=true`: what the module is, which was not activated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DryRun {
    /// The name under which it would be active.
    pub(crate) name: String,
    /// SHA-256 of its bytes.
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) size: u64,
    /// What it imports.
    pub(crate) imports: Vec<String>,
    /// What it exports.
    pub(crate) exports: Vec<String>,
    /// What it would serve.
    pub(crate) tasks: Vec<TaskDescription>,
    /// Bytes of its machine code.
    pub(crate) compiled_bytes: u64,
    /// How long it took to compile; none where it was compiled before.
    pub(crate) compile_ms: Option<u64>,
}

impl DryRun {
    /// What was found in the module that would be this version. Field by field: what is flattened does not keep JSON as text.
    pub(crate) fn of(name: String, version: Version, inspection: Inspection) -> Self {
        let Inspection { imports, exports, tasks: _, compiled_bytes, compile_ms } = inspection;
        let Version { digest, size, tasks, .. } = version;
        Self { name, digest, size, imports, exports, tasks, compiled_bytes, compile_ms }
    }
}

/// `GET /v1/modules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModuleList {
    /// Sorted by name.
    pub(crate) modules: Vec<ModuleSummary>,
}

/// `GET /v1/modules/{name}`: a module with its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModuleView {
    /// The module's name.
    pub(crate) name: String,
    /// The version that serves requests.
    pub(crate) active: Digest,
    /// Every version kept, oldest first.
    pub(crate) versions: Vec<Version>,
}

/// `DELETE /v1/modules/{name}`: what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removed {
    /// The module.
    pub(crate) name: String,
    /// The version; the whole module where there is none.
    pub(crate) version: Option<Digest>,
}

/// `POST /v1/modules/{name}/roll-back`: which version to go back to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollBack {
    /// The version; the one before the active one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<Digest>,
}

/// `GET /v1/dead-letters?most=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetterList {
    /// Newest first.
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// Letters asked for that are not here, as all bodies together would be too large for one answer.
    pub(crate) left_off: usize,
}

/// `GET /v1/nodes`: the nodes that answered, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeList {
    /// Workers of Mognet's among them where requests come over RabbitMQ.
    pub(crate) nodes: Vec<NodeView>,
}

/// What a node runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeView {
    /// Which node.
    pub(crate) node_id: NodeId,
    /// The requests of the tenant, oldest first.
    pub(crate) running_requests: Vec<RequestResult>,
    /// Requests that are not here: more than are shown, or their results are gone.
    pub(crate) left_off: usize,
}

/// `GET /v1/queues`: the queues that the node takes requests from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueList {
    /// In the order that the node was given them.
    pub(crate) queues: Vec<QueueView>,
}

/// What of a tenant lies in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueView {
    /// The queue.
    pub(crate) name: QueueName,
    /// Counts of requests.
    #[serde(flatten)]
    pub(crate) backlog: Backlog,
}

/// `DELETE /v1/queues/{queue}/requests`: what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Purged {
    /// The queue.
    pub(crate) queue: QueueName,
    /// Requests that were removed; they are REVOKED now.
    pub(crate) purged: usize,
    /// Whether the queue was found empty; false where more lie in it than one call removes.
    pub(crate) complete: bool,
}

/// `GET /healthz` and `GET /readyz` where all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_reads_back_with_its_numbers_as_they_were_written() {
        let text = r#"{"id":"9b09b78c-688f-4d40-b7ba-1a1fb10215e2","name":"a","state":"SUCCESS","number_of_starts":1,"number_of_stops":1,
            "parent_id":null,"created":"2026-01-01T00:00:00Z","started":null,"finished":null,"node_id":null,"request_kwargs_repr":null,
            "value":3.0,"metadata":{"k":[1.50]}}"#;
        let view: RequestView = serde_json::from_str(text).unwrap();
        assert_eq!(view.value.as_ref().unwrap().as_str(), "3.0");
        let again: RequestView = serde_json::from_str(&serde_json::to_string(&view).unwrap()).unwrap();
        assert_eq!(again, view);
    }

    #[test]
    fn every_reason_why_a_request_did_not_succeed_is_documented() {
        let page = include_str!("../../../API.md");
        // The error of an unknown code names those there are.
        let error = serde_json::from_str::<ErrorCode>("\"?\"").unwrap_err().to_string();
        let codes: Vec<&str> = error.split('`').skip(1).step_by(2).filter(|code| *code != "?").collect();
        assert!(codes.contains(&"deadline-passed"), "{error}");
        for code in codes {
            assert!(page.contains(&format!("| `{code}` | ")), "host/API.md has no row of {code}");
        }
    }

    #[test]
    fn a_misspelt_field_of_a_request_is_refused_and_named() {
        let error = serde_json::from_str::<NewRequest>(r#"{"name":"a","arg":[1]}"#).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `arg`, expected one of `name`, `args`"), "{error}");
    }
}
