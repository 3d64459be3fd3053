//! Tasks for storms and outages: a little of everything that a request can do. One module, as a node that was just started compiles it anew.

use std::time::Duration;

use mogbox_guest::{Child, ChildId, Context, Result, TaskError, task};

/// Works step by step, and keeps in metadata how far it is. Answers the number of steps. Fails where another attempt writes state
/// meanwhile: that one holds the request no more.
#[task(name = "storm.work")]
fn work(ctx: &Context, steps: u64, step_ms: u64) -> Result<u64> {
    let (state, attempt) = (ctx.state(), ctx.request().attempt);
    for step in 1..=steps {
        state.set("attempt", attempt)?;
        ctx.sleep(Duration::from_millis(step_ms));
        ctx.set_metadata("step", step)?;
        if let Some(other) = state.get::<u32>("attempt")?.filter(|found| *found != attempt) {
            return Err(TaskError::failed("Overtaken", format!("attempt {other} wrote state while attempt {attempt} ran")));
        }
    }
    Ok(steps)
}

/// Sleeps, and calls no store.
#[task(name = "storm.sleep")]
fn sleep(ctx: &Context, ms: u64) -> u64 {
    ctx.sleep(Duration::from_millis(ms));
    ms
}

/// Does a step an attempt, and keeps in state how many are done. Answers the number of steps.
#[task(name = "storm.pauses")]
fn pauses(ctx: &Context, steps: u64) -> Result<u64> {
    let done: u64 = ctx.state().get("done")?.unwrap_or_default();
    if done < steps {
        ctx.state().set("done", done + 1)?;
        return Err(TaskError::pause_after(Duration::from_millis(50)));
    }
    Ok(done)
}

/// Lets children work, and sums what they answer.
#[task(name = "storm.family")]
fn family(ctx: &Context, children: u64) -> Result<u64> {
    let submitted = (1..=children).map(|steps| ctx.submit(Child::new("storm.work").arg(steps).arg(5)));
    let ids: Vec<ChildId> = submitted.collect::<Result<_, _>>()?;
    ctx.wait_all(&ids)?.iter().map(|outcome| outcome.value::<u64>()).sum()
}

mogbox_guest::tasks![work, sleep, pauses, family];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::serde_json::json;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn what_is_done_is_not_done_again() {
        let test = TestContext::new(TestRequest::new("storm.pauses").arg(1));
        assert_eq!(test.run(&TASKS), Err(TaskError::pause_after(Duration::from_millis(50))));
        test.next_attempt();
        assert_eq!(test.run(&TASKS), Ok(json!(1)));
    }
}
