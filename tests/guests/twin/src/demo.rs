//! The tasks of the captured samples.

use mogbox_guest::serde_json::{Value, json};
use mogbox_guest::{Child, Context, Result, TaskError, task};

/// Adds two numbers.
#[task(name = "demo.add")]
pub(crate) fn add(n1: f64, n2: f64) -> f64 {
    n1 + n2
}

/// Fails.
#[task(name = "demo.fail")]
pub(crate) fn fail() -> Result<()> {
    Err(TaskError::failed("ValueError", "boom"))
}

/// Changes metadata, keeps state, and answers the metadata that it found.
#[task(name = "demo.meta")]
pub(crate) fn meta(ctx: &Context) -> Result<Value> {
    let seen = ctx.all_metadata()?;
    ctx.set_all_metadata([("user_id", json!("dkl")), ("n", json!({"a": [1, null, true]}))])?;
    ctx.state().set("k", 1)?;
    Ok(json!({"seen": seen}))
}

/// Runs a child and answers its value.
#[task(name = "demo.child")]
pub(crate) fn child(ctx: &Context) -> Result<f64> {
    awaited(ctx, Child::new("demo.add").arg(1).arg(2))
}

/// Runs itself with one less, down to nothing.
#[task(name = "demo.rec")]
pub(crate) fn rec(ctx: &Context, n: i64) -> Result<i64> {
    if n == 0 { Ok(0) } else { awaited(ctx, Child::new("demo.rec").arg(n - 1)) }
}

/// Submits a child, waits for it and answers its value, or fails as it did.
pub(crate) fn awaited<T: mogbox_guest::serde::de::DeserializeOwned>(ctx: &Context, child: Child) -> Result<T> {
    let id = ctx.submit(child)?;
    ctx.wait_all(&[id])?.first().map_or_else(|| Err(TaskError::failed("LookupError", "no outcome")), |outcome| outcome.value())
}
