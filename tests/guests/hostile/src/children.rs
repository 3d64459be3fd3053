//! Children: too many, too deep, and waits that cannot end.

use mogbox_guest::serde_json::Value;
use mogbox_guest::{Child, ChildId, ChildOutcome, Context, Error, Result, task};

use crate::answers::deep;

/// An hour, which no test waits for.
const HOUR_MS: u64 = 3_600_000;

/// A queue that no node takes requests of: what is sent there stays there.
const NOWHERE: &str = "nowhere";

/// Submits so many children, which never run, and waits for none.
#[task(name = "hostile.children")]
pub(crate) fn children(ctx: &Context, children: u64) -> Result<u64> {
    for _ in 0..children {
        ctx.submit(Child::new("hostile.sleep").arg(0).queue(NOWHERE))?;
    }
    Ok(children)
}

/// Submits a child with so many arguments.
#[task(name = "hostile.child_with_arguments")]
pub(crate) fn child_with_arguments(ctx: &Context, arguments: u64) -> Result<()> {
    ctx.submit((0..arguments).fold(Child::new("hostile.sleep").queue(NOWHERE), Child::arg))?;
    Ok(())
}

/// Submits a child whose argument is arrays in arrays, so deep.
#[task(name = "hostile.child_with_deep_argument")]
pub(crate) fn child_with_deep_argument(ctx: &Context, depth: u32) -> Result<()> {
    ctx.submit(Child::new("hostile.sleep").arg(deep(depth)).queue(NOWHERE))?;
    Ok(())
}

/// Waits for its own request, which is no child of it.
#[task(name = "hostile.wait_for_itself")]
pub(crate) fn wait_for_itself(ctx: &Context) -> Result<bool, Error> {
    let outcomes = ctx.wait_all(&[ChildId(ctx.request().id)])?;
    Ok(outcomes.iter().all(ChildOutcome::is_done))
}

/// Submits a child that waits for its parent, which waits for it.
#[task(name = "hostile.wait_for_each_other")]
pub(crate) fn wait_for_each_other(ctx: &Context) -> Result<String> {
    let Some(parent) = ctx.request().stack.last().cloned() else {
        let child = ctx.submit(Child::new("hostile.wait_for_each_other"))?;
        return Ok(format!("{:?}", ctx.wait_all(&[child])?));
    };
    ctx.wait_all(&[ChildId(parent)])?;
    Ok("waited for its parent".to_owned())
}

/// Waits for a request that somebody else submitted, and answers what it was told of it.
#[task(name = "hostile.wait_for")]
pub(crate) fn wait_for(ctx: &Context, id: String) -> Result<String, Error> {
    Ok(format!("{:?}", ctx.wait_all(&[ChildId(id)])?))
}

/// Submits a child with this metadata, which never runs, and answers its id.
#[task(name = "hostile.child_with_metadata")]
pub(crate) fn child_with_metadata(ctx: &Context, key: String, value: Value) -> Result<String> {
    Ok(ctx.submit(Child::new("hostile.sleep").metadata(key, value).queue(NOWHERE))?.to_string())
}

/// Waits for a child that sleeps for an hour.
#[task(name = "hostile.wait_for_ever")]
pub(crate) fn wait_for_ever(ctx: &Context) -> Result<bool, Error> {
    let child = ctx.submit(Child::new("hostile.sleep").arg(HOUR_MS))?;
    Ok(ctx.wait_all(&[child])?.iter().all(ChildOutcome::is_done))
}

/// Waits for so many names of children that there are not.
#[task(name = "hostile.wait_for_many")]
pub(crate) fn wait_for_many(ctx: &Context, ids: usize) -> Result<usize, Error> {
    let ids = vec![ChildId("9b09b78c-688f-4d40-b7ba-1a1fb10215e2".to_owned()); ids];
    Ok(ctx.wait_all(&ids)?.len())
}

/// Submits itself again and waits for that, without end.
#[task(name = "hostile.descend")]
pub(crate) fn descend(ctx: &Context) -> Result<String> {
    let child = ctx.submit(Child::new("hostile.descend"))?;
    ctx.wait_all(&[child])?.iter().map(|outcome| outcome.value::<String>()).collect()
}

/// Fills memory of so many bytes, then waits for children that do the same, so many levels of them, two at each.
#[task(name = "hostile.hoard")]
pub(crate) fn hoard(ctx: &Context, bytes: usize, levels: u32) -> Result<u64> {
    let hoarded = std::hint::black_box(vec![7u8; bytes]);
    let mut got = hoarded.iter().step_by(4096).map(|byte| u64::from(*byte / 7)).sum::<u64>() / 256;
    if levels > 0 {
        let child = || ctx.submit(Child::new("hostile.hoard").arg(bytes).arg(levels - 1));
        for outcome in ctx.wait_all(&[child()?, child()?])? {
            got += outcome.value::<u64>()?;
        }
    }
    std::hint::black_box(&hoarded);
    Ok(got)
}
