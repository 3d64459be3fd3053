//! The bodies of `/v1`, shared by the API that writes them and the command line that reads them. All JSON; times are RFC 3339,
//! ids are UUIDs, digests are SHA-256 in hexadecimal.

mod modules;
mod operators;
mod tenants;

use mogbox_core::result::{Exception, Value};
use mogbox_core::{Deadline, Entries, Json, QueueName, Report, RequestId, RequestResult, State, TaskName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use modules::*;
pub(crate) use operators::*;
pub(crate) use tenants::*;

/// `POST /v1/requests`: a request to submit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRequest {
    /// The task.
    #[schema(value_type = String)]
    pub(crate) name: TaskName,
    /// Arguments by position.
    #[serde(default)]
    #[schema(value_type = Vec<serde_json::Value>)]
    pub(crate) args: Vec<Json>,
    /// Arguments by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) kwargs: Entries,
    /// Metadata of the result from its start.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) metadata: Entries,
    /// 0 (last) to 10 (first); 5 where absent.
    #[serde(default)]
    pub(crate) priority: Option<u8>,
    /// When to stop and revoke it: an ISO 8601 duration from its start, seconds from its start, or a moment.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    pub(crate) deadline: Option<Deadline>,
    /// The queue to go through; `tasks` where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) queue: Option<QueueName>,
    /// Milliseconds to hold it back first.
    #[serde(default)]
    pub(crate) delay_ms: u64,
    /// Its id; a random one where absent. Submitting the same id again is safe and changes nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(crate) id: Option<RequestId>,
    /// Take it although no active module serves the task now.
    #[serde(default)]
    pub(crate) allow_unknown: bool,
}

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Submitted {
    /// The request.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: RequestId,
    /// The task.
    #[schema(value_type = String)]
    pub(crate) name: TaskName,
}

/// `GET /v1/requests/{id}`: all there is of a request. What was not asked for, or is not there, is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RequestView {
    /// Mognet's result: state, times, counts.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub(crate) result: RequestResult,
    /// What the task returned, on SUCCESS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub(crate) value: Option<Json>,
    /// Why it ended otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorView>,
    /// Metadata, sorted by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) metadata: Option<Entries>,
    /// Requests that it submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) children: Option<Vec<RequestId>>,
    /// Receipt and log of its last finished attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) report: Option<Report>,
}

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Revoked {
    /// The request.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: RequestId,
    /// Its state now: REVOKED, or the final state it had already.
    #[schema(value_type = String)]
    pub(crate) state: State,
    /// Requests that were revoked, descendants included; 0 where it was final already.
    pub(crate) revoked: usize,
    /// Whether every descendant was reached; false for trees over the bounds.
    pub(crate) complete: bool,
}

/// `GET /healthz` and `GET /readyz` where all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
