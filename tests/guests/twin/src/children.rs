//! Tasks that submit children, wait for them or not, and tell how they ended.

use mogbox_guest::serde_json::{Value, json};
use mogbox_guest::{Child, ChildId, ChildOutcome, Context, Result, task};

use crate::demo::awaited;
use crate::metadata::wait_for;

fn child(name: String, args: Vec<Value>, queue: Option<String>) -> Child {
    let child = args.into_iter().fold(Child::new(name), Child::arg);
    match queue {
        Some(queue) => child.queue(queue),
        None => child,
    }
}

/// Submits a child, does not wait, and answers its id.
#[task(name = "twin.spawn")]
pub(crate) fn spawn(ctx: &Context, name: String, args: Vec<Value>, queue: Option<String>) -> Result<String> {
    Ok(ctx.submit(child(name, args, queue))?.to_string())
}

/// Runs a child and answers its value.
#[task(name = "twin.run")]
pub(crate) fn run_child(ctx: &Context, name: String, args: Vec<Value>, queue: Option<String>) -> Result<Value> {
    awaited(ctx, child(name, args, queue))
}

/// Runs a child, tells so in metadata, holds until somebody writes metadata `go`, and answers the child's value.
#[task(name = "twin.run_then_hold")]
pub(crate) fn run_then_hold(ctx: &Context, name: String, args: Vec<Value>) -> Result<Value> {
    let value = awaited(ctx, child(name, args, None))?;
    ctx.set_metadata("went_on", true)?;
    wait_for(ctx, "go")?;
    Ok(value)
}

/// Runs a child and answers how it ended, however that was.
#[task(name = "twin.outcome")]
pub(crate) fn outcome(ctx: &Context, name: String, args: Vec<Value>, queue: Option<String>) -> Result<Value> {
    let id = ctx.submit(child(name, args, queue))?;
    let outcomes = ctx.wait_all(&[id])?;
    let described = outcomes.iter().map(|outcome| match outcome {
        ChildOutcome::Success(text) => json!(["SUCCESS", text]),
        ChildOutcome::Failure(text) => json!(["FAILURE", text]),
        ChildOutcome::Revoked(text) => json!(["REVOKED", text]),
        ChildOutcome::Invalid(text) => json!(["INVALID", text]),
        ChildOutcome::Pending => json!(["PENDING", ""]),
    });
    Ok(described.collect())
}

/// Runs itself so many levels down, and answers the stack of the innermost.
#[task(name = "twin.lineage")]
pub(crate) fn lineage(ctx: &Context, levels: u64) -> Result<Vec<String>> {
    if levels == 0 { Ok(ctx.request().stack) } else { awaited(ctx, Child::new("twin.lineage").arg(levels - 1)) }
}

/// Runs so many children of its own, so many levels of them, and answers how many requests it took in all.
#[task(name = "twin.tree")]
pub(crate) fn tree(ctx: &Context, width: u64, levels: u64) -> Result<u64> {
    if levels == 0 {
        return Ok(1);
    }
    let submitted = (0..width).map(|_| ctx.submit(Child::new("twin.tree").arg(width).arg(levels - 1)));
    let ids: Vec<ChildId> = submitted.collect::<Result<_, _>>()?;
    let below: u64 = ctx.wait_all(&ids)?.iter().map(|outcome| outcome.value::<u64>()).sum::<Result<u64>>()?;
    Ok(below + 1)
}
