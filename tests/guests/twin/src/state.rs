//! Tasks that pause, and keep state for the time after.

use mogbox_guest::serde_json::{Value, json};
use mogbox_guest::{Context, Result, TaskError, task};

use crate::metadata::wait_for;

/// Pauses so many times, counts in state how often it ran, and answers that.
#[task(name = "twin.pause")]
pub(crate) fn pause(ctx: &Context, times: u64) -> Result<u64> {
    let runs = ctx.state().get::<u64>("runs")?.unwrap_or(0) + 1;
    ctx.state().set("runs", runs)?;
    if runs <= times { Err(TaskError::pause()) } else { Ok(runs) }
}

/// Pauses whatever happens, and counts in metadata how often.
#[task(name = "twin.pause_for_ever")]
pub(crate) fn pause_for_ever(ctx: &Context) -> Result<()> {
    let runs = ctx.metadata::<u64>("runs")?.unwrap_or(0) + 1;
    ctx.set_metadata("runs", runs)?;
    Err(TaskError::pause())
}

/// Writes, reads and removes state, pauses, and answers what it found before and after.
#[task(name = "twin.across")]
pub(crate) fn across(ctx: &Context) -> Result<Value> {
    let state = ctx.state();
    let Some(before) = state.get::<Value>("before")? else {
        state.set("kept", json!({"a": [1, null, true], "é": "\u{1f600}"}))?;
        state.set("removed", "gone")?;
        let (read, removed, again) = (state.get::<Value>("kept")?, state.pop::<Value>("removed")?, state.pop::<Value>("removed")?);
        state.set("before", json!([read, removed, again]))?;
        return Err(TaskError::pause());
    };
    Ok(json!({"before": before, "kept": state.get::<Value>("kept")?, "removed": state.get::<Value>("removed")?}))
}

/// Keeps state, and reads it when it is told so.
#[task(name = "twin.keep")]
pub(crate) fn keep(ctx: &Context) -> Result<Value> {
    ctx.state().set("n", 1)?;
    ctx.set_metadata("kept", true)?;
    wait_for(ctx, "read")?;
    let value = ctx.state().get::<Value>("n")?;
    ctx.set_metadata("was_read", true)?;
    wait_for(ctx, "go")?;
    Ok(json!(value))
}
