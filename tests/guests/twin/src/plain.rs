//! Tasks that only take arguments and answer.

use std::time::Duration;

use mogbox_guest::serde_json::{Value, json};
use mogbox_guest::{Context, Result, TaskError, task};

/// Answers what it is given.
#[task(name = "twin.echo")]
pub(crate) fn echo(value: Value) -> Value {
    value
}

/// Takes arguments of several types, the last one optional, and answers them.
#[task(name = "twin.typed")]
pub(crate) fn typed(number: i64, text: String, flag: Option<bool>) -> Value {
    json!([number, text, flag])
}

/// Answers a text of so many characters.
#[task(name = "twin.text")]
pub(crate) fn text(size: usize) -> String {
    "0123456789".chars().cycle().take(size).collect()
}

/// Sleeps, and answers how long.
#[task(name = "twin.sleep")]
pub(crate) fn sleep(ctx: &Context, seconds: f64) -> f64 {
    ctx.sleep(Duration::from_secs_f64(seconds));
    seconds
}

/// Fails with this text.
#[task(name = "twin.raise")]
pub(crate) fn raise(message: String) -> Result<()> {
    Err(TaskError::failed("Exception", message))
}

/// Answers its request as the task sees it.
#[task(name = "twin.request")]
pub(crate) fn request(ctx: &Context) -> Value {
    let request = ctx.request();
    json!({"id": request.id, "name": request.name, "stack": request.stack, "metadata": request.metadata, "priority": request.priority})
}
