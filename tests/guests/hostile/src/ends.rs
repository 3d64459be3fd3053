//! Ends of a run that the host must not take at their word: text that is no JSON, errors of any size, and asking for more for ever.

use std::time::Duration;

use mogbox_guest::{ArgumentError, Arguments, Context, Result, Task, TaskDescription, TaskEntry, TaskError, task};

/// Answers its first argument, a string, as if it were JSON, which the SDK does not do by itself.
pub(crate) enum Raw {}

impl Task for Raw {
    const ENTRY: TaskEntry = TaskEntry::new("hostile.raw", describe, run);
}

fn describe() -> TaskDescription {
    TaskDescription {
        name: "hostile.raw".to_owned(),
        title: "Answers a string as if it were JSON.".to_owned(),
        description: String::new(),
        parameters: r#"{"type":"object","properties":{"text":{"type":"string"}}}"#.to_owned(),
        returns: None,
    }
}

fn run(context: &Context, _: Arguments) -> Result<String> {
    let text = context.request().args.first().and_then(|arg| arg.as_str().map(ToOwned::to_owned));
    text.ok_or_else(|| TaskError::failed("Missing", "no text to answer"))
}

/// Fails with so many bytes of a kind, of a message and of details.
#[task(name = "hostile.fail_at_length")]
pub(crate) fn fail_at_length(kind: usize, message: usize, details: usize) -> Result<()> {
    Err(TaskError::failed("K".repeat(kind), "m".repeat(message)).with_details("d".repeat(details)))
}

/// Fails with these words.
#[task(name = "hostile.fail")]
pub(crate) fn fail(kind: String, message: String) -> Result<()> {
    Err(TaskError::failed(kind, message))
}

/// Says that so many arguments do not fit.
#[task(name = "hostile.invalid_arguments")]
pub(crate) fn invalid_arguments(arguments: usize) -> Result<()> {
    let error = ArgumentError { argument: String::new(), message: String::new() };
    Err(TaskError::InvalidArguments(vec![error; arguments]))
}

/// Says that it does not know the task which it described.
#[task(name = "hostile.unknown")]
pub(crate) fn unknown() -> Result<()> {
    Err(TaskError::UnknownTask)
}

/// Asks for another attempt, at once, whatever happens.
#[task(name = "hostile.retry_for_ever")]
pub(crate) fn retry_for_ever() -> Result<()> {
    Err(TaskError::retry_after("again", Duration::ZERO))
}

/// Asks to go on later, at once, whatever happens, and counts how often in its state.
#[task(name = "hostile.pause_for_ever")]
pub(crate) fn pause_for_ever(ctx: &Context) -> Result<()> {
    let rounds = ctx.state().get::<u64>("rounds")?.unwrap_or(0) + 1;
    ctx.state().set("rounds", rounds)?;
    ctx.set_metadata("rounds", rounds)?;
    Err(TaskError::pause_after(Duration::ZERO))
}
