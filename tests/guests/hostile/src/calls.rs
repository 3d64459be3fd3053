//! Calls of the host: too many, too large, or never answered.

use std::time::Duration;

use mogbox_guest::serde_json::Value;
use mogbox_guest::{Context, Level, Result, task};

use crate::answers::deep;

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

/// Stores one entry of metadata, whatever its key.
#[task(name = "hostile.set_metadata")]
pub(crate) fn set_metadata(ctx: &Context, key: String, value: Value) -> Result<()> {
    Ok(ctx.set_metadata(&key, value)?)
}

/// Stores one entry of state, whatever its key.
#[task(name = "hostile.set_state")]
pub(crate) fn set_state(ctx: &Context, key: String, value: Value) -> Result<()> {
    Ok(ctx.state().set(&key, value)?)
}

/// Stores so many keys of metadata, one after the other, each with so many bytes.
#[task(name = "hostile.set_metadata_bit_by_bit")]
pub(crate) fn set_metadata_bit_by_bit(ctx: &Context, keys: usize, bytes: usize) -> Result<usize> {
    let text = "x".repeat(bytes);
    for key in 0..keys {
        ctx.set_metadata(&format!("key-{key}"), &text)?;
    }
    Ok(keys)
}

/// Stores arrays in arrays, so deep, as metadata or as state.
#[task(name = "hostile.store_deep_json")]
pub(crate) fn store_deep_json(ctx: &Context, depth: u32, into_state: bool) -> Result<()> {
    let value = deep(depth);
    let stored = if into_state { ctx.state().set("deep", value) } else { ctx.set_metadata("deep", value) };
    Ok(stored?)
}

/// Says the same in its log, on standard output and on standard error.
#[task(name = "hostile.say")]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what the task is for")]
pub(crate) fn say(ctx: &Context, text: String) {
    ctx.log(Level::Warn, &text, [(text.as_str(), text.as_str())]);
    println!("{text}");
    eprintln!("{text}");
}

/// Sleeps for so many milliseconds.
#[task(name = "hostile.sleep")]
pub(crate) fn sleep(ctx: &Context, ms: u64) -> u64 {
    ctx.sleep(Duration::from_millis(ms));
    ms
}
