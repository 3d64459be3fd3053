//! Between the generated types and the words of the host. The one place where what a guest says becomes a value of ours, so
//! this is where it is bounded and checked.

use std::time::Duration;

use mogbox_core::context::{ChildOutcome, NewChild};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::outcome::{ArgumentError, Failure};
use mogbox_core::report::Level;
use mogbox_core::store::WaitMode;
use mogbox_core::{ContextError, Entries, Facts, Json, Outcome, RequestId};

use crate::bindings::exports::mogbox::task::tasks as exported;
use crate::bindings::mogbox::task::{log, requests, types};

/// The class of an answer that is not what the WIT says.
pub(crate) const INVALID_ANSWER: &str = "invalid-answer";

/// Bytes that a text takes beside its own: where it lies, and how long it is.
const TEXT_SIZE: usize = 8;

/// JSON from a guest, within a bound.
pub(crate) fn json(text: &str, bound: Bound, limits: &Limits) -> Result<Json, ContextError> {
    if text.len() > limits.length(bound) {
        return Err(ContextError::TooLarge(limits.explain(bound)));
    }
    Ok(Json::parse(text, limits.length(bound))?)
}

/// Entries from a guest, each within a bound; of equal keys the last one counts.
pub(crate) fn entries(given: Vec<types::Entry>, bound: Bound, limits: &Limits) -> Result<Entries, ContextError> {
    given
        .into_iter()
        .map(|types::Entry { key, value }| Ok((key, json(&value, bound, limits)?)))
        .collect::<Result<Vec<_>, ContextError>>()
        .map(Entries::from_iter)
}

/// Bytes of entries as they came, with what each takes even where it is empty.
pub(crate) fn entries_size(given: &[types::Entry]) -> usize {
    given.iter().map(|entry| 2 * TEXT_SIZE + entry.key.len() + entry.value.len()).sum()
}

/// Bytes of texts as they came, with what each takes even where it is empty.
pub(crate) fn texts_size(given: &[String]) -> usize {
    given.iter().map(|text| TEXT_SIZE + text.len()).sum()
}

pub(crate) fn guest_entries(entries: &Entries) -> Vec<types::Entry> {
    entries.iter().map(|(key, value)| types::Entry { key: key.to_owned(), value: value.as_str().to_owned() }).collect()
}

pub(crate) fn guest_jsons(values: &[Json]) -> Vec<String> {
    values.iter().map(|value| value.as_str().to_owned()).collect()
}

/// The request as its attempt sees it.
pub(crate) fn guest_request(facts: &Facts) -> types::Request {
    let request = &facts.request;
    types::Request {
        id: request.id.to_string(),
        name: request.name.to_string(),
        args: guest_jsons(&request.args),
        kwargs: guest_entries(&request.kwargs),
        metadata: guest_entries(&request.metadata),
        stack: request.stack.iter().map(ToString::to_string).collect(),
        attempt: facts.attempt,
        priority: request.priority,
        queue: facts.queue.to_string(),
        tenant: facts.tenant.to_string(),
        deadline_ms: facts.deadline.map(milliseconds),
    }
}

/// Bytes that the request takes when it is handed to the guest.
pub(crate) fn request_size(facts: &Facts) -> usize {
    let request = &facts.request;
    request.argument_size() + request.metadata.size() + request.name.as_str().len() + 36 * (request.stack.len() + 1)
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn guest_error(error: ContextError) -> types::Error {
    match error {
        ContextError::Denied(text) => types::Error::Denied(text),
        ContextError::TooLarge(text) => types::Error::TooLarge(text),
        ContextError::Limit(text) => types::Error::Limit(text),
        ContextError::NotFound(text) => types::Error::NotFound(text),
        ContextError::Invalid(text) => types::Error::Invalid(text),
        ContextError::Unavailable(text) => types::Error::Unavailable(text),
    }
}

pub(crate) fn level(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}

/// A child that the guest submits.
pub(crate) fn child(given: requests::NewRequest, limits: &Limits) -> Result<NewChild, ContextError> {
    let args = given.args.iter().map(|text| json(text, Bound::Arguments, limits)).collect::<Result<_, _>>()?;
    Ok(NewChild {
        name: given.name,
        args,
        kwargs: entries(given.kwargs, Bound::Arguments, limits)?,
        metadata: entries(given.metadata, Bound::Metadata, limits)?,
        priority: given.priority,
        queue: given.queue,
        deadline: given.deadline_ms.map(Duration::from_millis),
    })
}

/// Bytes of a child as it came.
pub(crate) fn child_size(given: &requests::NewRequest) -> usize {
    let queue = given.queue.as_ref().map_or(0, String::len);
    given.name.len() + texts_size(&given.args) + entries_size(&given.kwargs) + entries_size(&given.metadata) + queue
}

pub(crate) fn request_ids(texts: &[String]) -> Result<Vec<RequestId>, ContextError> {
    let parse = |text: &String| text.parse().map_err(|error: mogbox_core::ids::InvalidName| ContextError::Invalid(error.to_string()));
    texts.iter().map(parse).collect()
}

pub(crate) fn wait_mode(mode: requests::WaitMode) -> WaitMode {
    match mode {
        requests::WaitMode::All => WaitMode::All,
        requests::WaitMode::Any => WaitMode::Any,
    }
}

pub(crate) fn guest_child_outcome(outcome: ChildOutcome) -> requests::ChildOutcome {
    match outcome {
        ChildOutcome::Success(json) => requests::ChildOutcome::Success(json.as_str().to_owned()),
        ChildOutcome::Failure(text) => requests::ChildOutcome::Failure(text),
        ChildOutcome::Revoked(text) => requests::ChildOutcome::Revoked(text),
        ChildOutcome::Invalid(text) => requests::ChildOutcome::Invalid(text),
        ChildOutcome::Pending => requests::ChildOutcome::Pending,
    }
}

/// Bytes of what is said of a child.
pub(crate) fn child_outcome_size(outcome: &ChildOutcome) -> usize {
    match outcome {
        ChildOutcome::Success(json) => json.size(),
        ChildOutcome::Failure(text) | ChildOutcome::Revoked(text) | ChildOutcome::Invalid(text) => text.len(),
        ChildOutcome::Pending => 0,
    }
}

/// What a run returned, as an outcome. Everything it says is within the bound on results.
pub(crate) fn outcome(returned: Result<String, exported::TaskError>, limits: &Limits) -> Outcome {
    if returned_size(&returned) > limits.length(Bound::Result) {
        return Outcome::OverBound { bound: Bound::Result, limit: limits.show(Bound::Result) };
    }
    match returned {
        Ok(text) => checked("the result", &text, Outcome::Success),
        Err(exported::TaskError::Failed(failure)) => failed(failure),
        Err(exported::TaskError::InvalidArguments(errors)) => Outcome::InvalidArguments(errors.into_iter().map(argument_error).collect()),
        Err(exported::TaskError::UnknownTask) => Outcome::UnknownTask,
        Err(exported::TaskError::Retry(retry)) => {
            Outcome::Retry { message: retry.message, after: retry.after_ms.map(Duration::from_millis) }
        }
        Err(exported::TaskError::Pause(after)) => Outcome::Pause { after: after.map(Duration::from_millis) },
    }
}

/// Bytes of what a run returned.
pub(crate) fn returned_size(returned: &Result<String, exported::TaskError>) -> usize {
    match returned {
        Ok(text) => text.len(),
        Err(exported::TaskError::Failed(failure)) => {
            failure.kind.len() + failure.message.len() + failure.details.as_ref().map_or(0, String::len)
        }
        Err(exported::TaskError::InvalidArguments(errors)) => {
            errors.iter().map(|error| error.argument.len() + error.message.len() + size_of::<ArgumentError>()).sum()
        }
        Err(exported::TaskError::Retry(retry)) => retry.message.len(),
        Err(exported::TaskError::UnknownTask | exported::TaskError::Pause(_)) => 0,
    }
}

fn failed(failure: exported::Failure) -> Outcome {
    let exported::Failure { kind, message, details } = failure;
    match details {
        None => Outcome::Failed(Failure { kind, message, details: None }),
        Some(text) => checked("the details of a failure", &text, |json| Outcome::Failed(Failure { kind, message, details: Some(json) })),
    }
}

fn argument_error(error: exported::ArgumentError) -> ArgumentError {
    ArgumentError { argument: error.argument, message: error.message }
}

fn checked(what: &str, text: &str, use_json: impl FnOnce(Json) -> Outcome) -> Outcome {
    match Json::parse(text, usize::MAX) {
        Ok(json) => use_json(json),
        Err(error) => {
            let start: String = text.chars().take(80).collect();
            Outcome::Trapped { class: INVALID_ANSWER.into(), message: format!("{what} is {error}; it starts with {start:?}") }
        }
    }
}
