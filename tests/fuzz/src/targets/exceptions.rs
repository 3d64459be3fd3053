//! `exceptions`: what a guest says of its failure, as a Mognet client reads it. The client runs the pickle: whatever the texts
//! are, it must hold one of the fixed classes with these texts in it, and nothing else.

mod pickle;

use arbitrary::{Arbitrary, Unstructured};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mogbox_core::RequestId;
use mogbox_core::result::{Exception, Value};
use mogbox_core::wire::value::{decode_value, encode_value};
use serde_json::Value as Any;

use crate::Target;
use pickle::Object;

pub(crate) const TARGET: Target = Target { name: "exceptions", run, seeds: Vec::new, short_run: 4_000 };

/// Every class that a pickle may name.
const CLASSES: [&str; 7] = [
    "builtins TimeoutError",
    "builtins RecursionError",
    "mognet.exceptions.result_exceptions ResultNotReady",
    "mognet.tasks.task_registry UnknownTask",
    "mognet.exceptions.too_many_retries TooManyRetries",
    "mognet.exceptions.task_exceptions InvalidTaskArguments",
    "mognet.exceptions.task_exceptions InvalidErrorInfo",
];

/// The class of an id.
const UUID: &str = "uuid UUID";

#[derive(Debug, Arbitrary)]
enum Input {
    Failed { kind: String, message: String, traceback: String, times: u16 },
    UnknownTask { name: String, times: u16 },
    InvalidTaskArguments { errors: Vec<(String, String)>, times: u8 },
    TooManyRetries { id: [u8; 16], actual: u32, max: u32 },
    Timeout,
    RecursionLimit,
    NotReady,
}

fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let exception = exception(input);
    let written = encode_value(&Value::Exception(exception.clone()));
    let read = decode_value(&written).expect("what is written is read");
    let Value::Exception(read) = read else { panic!("{written} is read as a value") };
    assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&exception), "{written}");
    let holder: Any = serde_json::from_str(&written).expect("a value is JSON");
    assert_eq!(holder["value_type"], "mognet.model.result:_ExceptionInfo");
    match holder["raw_value"]["raw_data"].as_str() {
        Some(raw) => check_pickle(&STANDARD.decode(raw).expect("base64"), &read),
        None => assert!(matches!(exception, Exception::Failed { .. }), "{exception:?} has no pickle"),
    }
}

fn exception(input: Input) -> Exception {
    match input {
        Input::Failed { kind, message, traceback, times } => {
            Exception::Failed { kind, message: message.repeat(usize::from(times)), traceback }
        }
        Input::UnknownTask { name, times } => Exception::UnknownTask(name.repeat(usize::from(times))),
        Input::InvalidTaskArguments { errors, times } => {
            Exception::InvalidTaskArguments(std::iter::repeat_n(errors, usize::from(times % 16)).flatten().collect())
        }
        Input::TooManyRetries { id, actual, max } => {
            Exception::TooManyRetries { id: RequestId::from_slice(&id).expect("16 bytes"), actual, max }
        }
        Input::Timeout => Exception::Timeout,
        Input::RecursionLimit => Exception::RecursionLimit,
        Input::NotReady => Exception::NotReady,
    }
}

/// `exception` is as it was read back, that is with its texts cut.
fn check_pickle(pickle: &[u8], exception: &Exception) {
    let (object, classes) = pickle::load(pickle);
    assert!(classes.iter().all(|class| class == UUID || CLASSES.contains(&class.as_str())), "{classes:?}");
    let texts = object.texts();
    let expected: Vec<&str> = match exception {
        Exception::UnknownTask(name) => vec![name, "task_name", name],
        Exception::InvalidTaskArguments(errors) => return check_arguments(&object, errors),
        // The id's number comes with its first mention.
        Exception::TooManyRetries { .. } => vec!["int", "request_id", "max_retries", "actual_retries"],
        _ => vec![],
    };
    assert_eq!(texts, expected);
}

/// The list of errors is there twice, as argument and in the state: each text of a guest is a whole text of the pickle.
fn check_arguments(object: &Object, errors: &[(String, String)]) {
    let texts = object.texts();
    for (argument, reason) in errors {
        let is_position = argument.parse::<u32>().is_ok();
        assert!(
            texts.contains(&reason.as_str()) && (is_position || texts.contains(&argument.as_str())),
            "{argument:?} {reason:?} {texts:?}"
        );
    }
    let ours = |text: &&&str| ["type", "loc", "msg", "value_error", "errors"].contains(*text) || text.starts_with("__");
    let strange = texts.iter().filter(|text| !ours(text)).filter(|text| !errors.iter().any(|(a, r)| a == **text || r == **text)).count();
    assert_eq!(strange, 0, "{texts:?}");
}
