//! Calls of the host: too many, too large, or never answered.

use std::time::Duration;

use mogbox_guest::{Child, ChildId, ChildOutcome, Context, Error, Result, task};

/// An hour, which no test waits for.
const HOUR_MS: u64 = 3_600_000;

/// Logs so many lines of so many bytes.
#[task(name = "hostile.log_flood")]
pub(crate) fn log_flood(ctx: &Context, lines: u64, bytes: Option<usize>) -> u64 {
    let text = "x".repeat(bytes.unwrap_or(100));
    for line in 0..lines {
        ctx.info(format!("{line} {text}"));
    }
    lines
}

/// Writes so many lines to standard output and to standard error.
#[task(name = "hostile.print_flood")]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what the task is for")]
pub(crate) fn print_flood(lines: u64) -> u64 {
    for line in 0..lines {
        println!("out {line}");
        eprintln!("err {line}");
    }
    lines
}

/// Calls the host so many times with nothing to store.
#[task(name = "hostile.metadata_calls")]
pub(crate) fn metadata_calls(ctx: &Context, calls: u64) -> Result<u64> {
    for _ in 0..calls {
        ctx.set_all_metadata::<String, u8>([])?;
    }
    Ok(calls)
}

/// Stores so many keys of metadata at once, each with so many bytes.
#[task(name = "hostile.set_metadata_over_bound")]
pub(crate) fn set_metadata_over_bound(ctx: &Context, keys: usize, bytes: usize) -> Result<usize> {
    let text = "x".repeat(bytes);
    ctx.set_all_metadata((0..keys).map(|key| (format!("key-{key}"), &text)))?;
    Ok(keys)
}

/// Stores so many keys of state, one after the other, each with so many bytes.
#[task(name = "hostile.state_over_bound")]
pub(crate) fn state_over_bound(ctx: &Context, keys: usize, bytes: usize) -> Result<usize> {
    let text = "x".repeat(bytes);
    for key in 0..keys {
        ctx.state().set(&format!("key-{key}"), &text)?;
    }
    Ok(keys)
}

/// Submits so many children and waits for none.
#[task(name = "hostile.children")]
pub(crate) fn children(ctx: &Context, children: u64) -> Result<u64> {
    for _ in 0..children {
        ctx.submit(Child::new("hostile.sleep").arg(0))?;
    }
    Ok(children)
}

/// Waits for its own request, which is no child of it.
#[task(name = "hostile.wait_for_itself")]
pub(crate) fn wait_for_itself(ctx: &Context) -> Result<bool, Error> {
    let outcomes = ctx.wait_all(&[ChildId(ctx.request().id)])?;
    Ok(outcomes.iter().all(ChildOutcome::is_done))
}

/// Waits for a child that sleeps for an hour.
#[task(name = "hostile.wait_for_ever")]
pub(crate) fn wait_for_ever(ctx: &Context) -> Result<bool, Error> {
    let child = ctx.submit(Child::new("hostile.sleep").arg(HOUR_MS))?;
    Ok(ctx.wait_all(&[child])?.iter().all(ChildOutcome::is_done))
}

/// Sleeps for so many milliseconds.
#[task(name = "hostile.sleep")]
pub(crate) fn sleep(ctx: &Context, ms: u64) -> u64 {
    ctx.sleep(Duration::from_millis(ms));
    ms
}
