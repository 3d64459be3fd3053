//! Tasks that read and write metadata while they run, and wait for what others write.

use std::time::Duration;

use mogbox_guest::serde_json::{Value, json};
use mogbox_guest::{Context, Result, task};

/// Between two looks at the store.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Waits until somebody writes metadata under a key, and answers the value.
pub(crate) fn wait_for(ctx: &Context, key: &str) -> Result<Value> {
    loop {
        if let Some(value) = ctx.metadata::<Value>(key)? {
            return Ok(value);
        }
        ctx.sleep(LOOK);
    }
}

/// Runs until somebody writes metadata under a key, `go` where it is not named, and answers the value.
#[task(name = "twin.hold")]
pub(crate) fn hold(ctx: &Context, key: Option<String>) -> Result<Value> {
    wait_for(ctx, key.as_deref().unwrap_or("go"))
}

/// Counts in metadata, without end.
#[task(name = "twin.tick")]
pub(crate) fn tick(ctx: &Context) -> Result<u64> {
    let mut ticks = 0u64;
    loop {
        ticks += 1;
        ctx.set_metadata("tick", ticks)?;
        ctx.sleep(LOOK);
    }
}

/// Tells after each step how far it is, and goes on when it is told so.
#[task(name = "twin.progress")]
pub(crate) fn progress(ctx: &Context, steps: u64) -> Result<u64> {
    for done in 1..=steps {
        ctx.set_metadata("progress", json!({"done": done, "total": steps, "message": format!("step {done}")}))?;
        wait_for(ctx, &format!("go{done}"))?;
    }
    Ok(steps)
}

/// Answers all metadata, as it is now.
#[task(name = "twin.read")]
pub(crate) fn read(ctx: &Context) -> Result<Value> {
    Ok(Value::Object(ctx.all_metadata()?))
}

/// Writes so many keys, one after the other.
#[task(name = "twin.write")]
pub(crate) fn write(ctx: &Context, prefix: String, keys: u64) -> Result<u64> {
    for key in 0..keys {
        ctx.set_metadata(&format!("{prefix}{key}"), key)?;
    }
    Ok(keys)
}
