//! Exceptions as Mognet stores them. The client raises what a pickle holds, so pickles exist for a fixed set of classes only,
//! built in [`super::pickle`]; whatever a guest says is text in one of them and never chooses a class.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::pickle;
use crate::result::Exception;

/// Bytes of the longest message and the longest traceback that are stored.
const MAX_TEXT: usize = 64 << 10;
/// Bytes of the longest class name of a guest's error, and of an argument's name.
const MAX_NAME: usize = 256;
/// Bytes of the longest reason for one argument.
const MAX_REASON: usize = 4 << 10;
/// Argument errors that are stored; a person reads the first ones.
const MAX_ARGUMENTS: usize = 64;

const FAILED: &str = "builtins:Exception";
const UNKNOWN_TASK: &str = "mognet.tasks.task_registry:UnknownTask";
const INVALID_ARGUMENTS: &str = "mognet.exceptions.task_exceptions:InvalidTaskArguments";
const TOO_MANY_RETRIES: &str = "mognet.exceptions.too_many_retries:TooManyRetries";
const RECURSION: &str = "builtins:RecursionError";
const TIMEOUT: &str = "builtins:TimeoutError";
/// The same class as nodes on Python 3.10 and earlier name it.
const OLD_TIMEOUT: &str = "asyncio.exceptions:TimeoutError";
const NOT_READY: &str = "mognet.exceptions.result_exceptions:ResultNotReady";

/// Mognet's `_ExceptionInfo`, and after it two fields of ours that its client ignores and that let us read back what we wrote.
#[derive(Serialize, Deserialize)]
pub(super) struct ExceptionInfo {
    name: String,
    message: String,
    traceback: String,
    #[serde(skip_deserializing)]
    raw_data: Option<String>,
    #[serde(skip_deserializing)]
    raw_data_encoding: Option<&'static str>,
    /// The class of a guest's own error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Arguments that do not fit, each with the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arguments: Option<Vec<(String, String)>>,
}

impl ExceptionInfo {
    fn pickled(name: &str, message: &str, pickle: &[u8]) -> Self {
        let class = name.strip_prefix("builtins:").unwrap_or(name).replace(':', ".");
        let traceback = if message.is_empty() { format!("{class}\n") } else { format!("{class}: {message}\n") };
        Self {
            name: name.to_owned(),
            message: message.to_owned(),
            traceback,
            raw_data: Some(STANDARD.encode(pickle)),
            raw_data_encoding: Some("application/python-pickle"),
            kind: None,
            arguments: None,
        }
    }

    /// The client raises `Exception(message)` where there is no pickle.
    fn failed(kind: &str, message: &str, traceback: &str) -> Self {
        Self {
            name: FAILED.to_owned(),
            message: bounded(message, MAX_TEXT),
            traceback: bounded(traceback, MAX_TEXT),
            raw_data: None,
            raw_data_encoding: None,
            kind: Some(bounded(kind, MAX_NAME)),
            arguments: None,
        }
    }

    fn invalid_arguments(errors: &[(String, String)]) -> Self {
        let cut = |(argument, reason): &(String, String)| (bounded(argument, MAX_NAME), bounded(reason, MAX_REASON));
        let errors: Vec<_> = errors.iter().take(MAX_ARGUMENTS).map(cut).collect();
        let lines: Vec<_> = errors.iter().map(|(argument, reason)| format!("{argument}: {reason}")).collect();
        let info = Self::pickled(INVALID_ARGUMENTS, &lines.join("; "), &pickle::invalid_arguments(&errors, "value_error"));
        Self { arguments: Some(errors), ..info }
    }

    pub(super) fn to_json(&self) -> String {
        // Text and null only: there is nothing that JSON could not say.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What is stored of an exception.
pub(super) fn info(exception: &Exception) -> ExceptionInfo {
    match exception {
        Exception::Failed { kind, message, traceback } => ExceptionInfo::failed(kind, message, traceback),
        Exception::UnknownTask(name) => {
            let name = bounded(name, MAX_TEXT);
            ExceptionInfo::pickled(UNKNOWN_TASK, &unknown_task_message(&name), &pickle::unknown_task(&name))
        }
        Exception::InvalidTaskArguments(errors) => ExceptionInfo::invalid_arguments(errors),
        Exception::TooManyRetries { id, actual, max } => {
            let message = format!("Task id=UUID('{id}') has been retried {actual} times, which is more than the limit of {max}");
            ExceptionInfo::pickled(TOO_MANY_RETRIES, &message, &pickle::too_many_retries(*id, *actual, *max))
        }
        Exception::Timeout => ExceptionInfo::pickled(TIMEOUT, "", &pickle::without_arguments("builtins", "TimeoutError")),
        Exception::RecursionLimit => ExceptionInfo::pickled(RECURSION, "", &pickle::without_arguments("builtins", "RecursionError")),
        Exception::NotReady => {
            let pickle = pickle::without_arguments("mognet.exceptions.result_exceptions", "ResultNotReady");
            ExceptionInfo::pickled(NOT_READY, "", &pickle)
        }
    }
}

/// The exception that is stored: one of the fixed set by its name, any other as a failure of that name.
pub(super) fn from_info(info: ExceptionInfo) -> Exception {
    let known = match info.name.as_str() {
        UNKNOWN_TASK => read_unknown_task(&info.message),
        TOO_MANY_RETRIES => read_too_many_retries(&info.message),
        INVALID_ARGUMENTS => {
            let whole = || vec![(String::new(), info.message.clone())];
            Some(Exception::InvalidTaskArguments(info.arguments.clone().unwrap_or_else(whole)))
        }
        TIMEOUT | OLD_TIMEOUT => Some(Exception::Timeout),
        RECURSION => Some(Exception::RecursionLimit),
        NOT_READY => Some(Exception::NotReady),
        _ => None,
    };
    let ExceptionInfo { name, message, traceback, kind, .. } = info;
    known.unwrap_or_else(|| Exception::Failed { kind: kind.unwrap_or(name), message, traceback })
}

fn unknown_task_message(name: &str) -> String {
    format!("Unknown task: '{name}'; no active module serves it")
}

/// Reads our own message and Mognet's, which differ in the advice at the end.
fn read_unknown_task(message: &str) -> Option<Exception> {
    let (name, _advice) = message.strip_prefix("Unknown task: '")?.rsplit_once("'; ")?;
    Some(Exception::UnknownTask(name.to_owned()))
}

fn read_too_many_retries(message: &str) -> Option<Exception> {
    let (id, rest) = message.strip_prefix("Task id=UUID('")?.split_once("') has been retried ")?;
    let (actual, max) = rest.split_once(" times, which is more than the limit of ")?;
    Some(Exception::TooManyRetries { id: id.parse().ok()?, actual: actual.parse().ok()?, max: max.parse().ok()? })
}

/// At most `max` bytes of a text, and how much is missing.
fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(max)).unwrap_or_default();
    format!("{kept}… ({} more bytes)", text.len() - kept.len())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use serde_json::Value as Any;

    use super::*;

    fn captured() -> HashMap<String, Any> {
        serde_json::from_str(include_str!("../../../../tests/data/mognet/exceptions.json")).unwrap()
    }

    fn written(exception: &Exception) -> Any {
        serde_json::from_str(&info(exception).to_json()).unwrap()
    }

    fn read_back(exception: &Exception) -> Exception {
        from_info(serde_json::from_str(&info(exception).to_json()).unwrap())
    }

    fn too_many_retries() -> Exception {
        Exception::TooManyRetries { id: "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap(), actual: 4, max: 3 }
    }

    #[test]
    fn exceptions_are_written_as_mognet_writes_them_byte_for_byte() {
        let cases = [
            ("RecursionError()", Exception::RecursionLimit),
            ("TimeoutError()", Exception::Timeout),
            ("ResultNotReady()", Exception::NotReady),
        ];
        for (case, exception) in cases {
            let text = info(&exception).to_json();
            let fields: crate::entries::Entries = serde_json::from_str(&text).unwrap();
            let order: Vec<_> = fields.iter().map(|(key, _)| key).collect();
            assert_eq!(order, ["name", "message", "traceback", "raw_data", "raw_data_encoding"]);
            assert_eq!(written(&exception), captured()[case], "{case}");
        }
    }

    #[test]
    fn the_pickles_of_exceptions_with_texts_are_mognets_byte_for_byte() {
        let cases = [
            ("UnknownTask('t.x')", Exception::UnknownTask("t.x".into())),
            ("TooManyRetries(UUID('00112233-4455-6677-8899-aabbccddeeff'), 4, 3)", too_many_retries()),
            ("InvalidTaskArguments([])", Exception::InvalidTaskArguments(vec![])),
        ];
        for (case, exception) in cases {
            for field in ["name", "raw_data", "raw_data_encoding"] {
                assert_eq!(written(&exception)[field], captured()[case][field], "{case}: {field}");
            }
        }
    }

    #[test]
    fn an_argument_error_is_pickled_as_the_pydantic_object_that_mognet_pickles() {
        let message = "Input should be a valid number, unable to parse string as a number";
        let pickle = pickle::invalid_arguments(&[("2".into(), message.into())], "float_parsing");
        let captured = captured();
        let expected = captured["InvalidTaskArguments([InvalidErrorInfo(loc=(2,), ...)])"]["raw_data"].as_str().unwrap();
        assert_eq!(STANDARD.encode(pickle), expected);
    }

    #[test]
    fn a_guests_error_has_no_pickle_and_a_fixed_name() {
        let exception = Exception::Failed { kind: "os:system".into(), message: "boom".into(), traceback: "os:system: boom".into() };
        let written = written(&exception);
        assert_eq!((&written["name"], &written["raw_data"]), (&Any::from("builtins:Exception"), &Any::Null));
        assert_eq!(read_back(&exception), exception);
    }

    #[test]
    fn what_we_write_reads_back_as_the_same_exception() {
        let errors = vec![("n1".to_owned(), "a: b; c".to_owned()), ("2".to_owned(), "\0\n'\"".to_owned())];
        let exceptions = [
            Exception::UnknownTask("a'; b".into()),
            Exception::InvalidTaskArguments(errors),
            Exception::InvalidTaskArguments(vec![]),
            Exception::Timeout,
            too_many_retries(),
            Exception::RecursionLimit,
            Exception::NotReady,
        ];
        for exception in exceptions {
            assert_eq!(read_back(&exception), exception);
        }
    }

    #[test]
    fn what_mognets_own_nodes_wrote_is_read_by_name_and_message() {
        let read = |name: &str, message: &str| {
            let json = serde_json::json!({"name": name, "message": message, "traceback": "t", "raw_data": "gASVbm90IGEgcGlja2xl"});
            from_info(serde_json::from_value(json).unwrap())
        };
        let advice = "did you forget to register it, or import it's module in the app's configuration?";
        assert_eq!(read(UNKNOWN_TASK, &format!("Unknown task: 't.x'; {advice}")), Exception::UnknownTask("t.x".into()));
        assert_eq!(read(INVALID_ARGUMENTS, "[…]"), Exception::InvalidTaskArguments(vec![(String::new(), "[…]".into())]));
        assert_eq!(read(OLD_TIMEOUT, ""), Exception::Timeout);
        for name in ["builtins:ValueError", TOO_MANY_RETRIES] {
            let failed = Exception::Failed { kind: name.into(), message: "boom".into(), traceback: "t".into() };
            assert_eq!(read(name, "boom"), failed);
        }
    }

    #[test]
    fn endless_texts_are_cut_and_say_so() {
        let long = "é".repeat(1 << 20);
        let Exception::Failed { kind, message, traceback } =
            read_back(&Exception::Failed { kind: long.clone(), message: long.clone(), traceback: long.clone() })
        else {
            panic!("another exception")
        };
        assert!(kind.len() < 300 && message.len() < 66_000 && traceback.len() < 66_000);
        assert!(message.ends_with("… (2031616 more bytes)"), "{}", &message[message.len() - 40..]);
        let many = vec![(long.clone(), long); 100];
        assert!(info(&Exception::InvalidTaskArguments(many)).to_json().len() < 2 << 20);
    }

    proptest! {
        #[test]
        fn any_text_reads_back(kind in any::<String>(), message in any::<String>(), traceback in any::<String>()) {
            prop_assume!(kind.len() <= MAX_NAME);
            let exception = Exception::Failed { kind, message, traceback };
            prop_assert_eq!(read_back(&exception), exception);
        }
    }
}
