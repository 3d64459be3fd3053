//! Answers: too large, too deep, or no JSON.

use mogbox_guest::{Arguments, Context, Task, TaskDescription, TaskEntry, TaskError, serde_json::Value, task};

/// Answers a text of so many bytes.
#[task(name = "hostile.big_result")]
pub(crate) fn big_result(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Answers arrays in arrays, so deep.
#[task(name = "hostile.deep_json")]
pub(crate) fn deep_json(depth: u32) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

/// Answers text that is no JSON, which the SDK does not do by itself.
pub(crate) enum InvalidJson {}

impl Task for InvalidJson {
    const ENTRY: TaskEntry = TaskEntry::new("hostile.invalid_json", describe, run);
}

fn describe() -> TaskDescription {
    TaskDescription {
        name: "hostile.invalid_json".to_owned(),
        title: "Answers text that is no JSON.".to_owned(),
        description: String::new(),
        parameters: r#"{"type":"object","properties":{}}"#.to_owned(),
        returns: None,
    }
}

fn run(_: &Context, _: Arguments) -> Result<String, TaskError> {
    Ok("{\"open\": [".to_owned())
}
