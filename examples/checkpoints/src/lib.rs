//! Checkpoints: a long task that does a step an attempt, keeps its position in state, and pauses in between, so that others may run.
//! A node that dies in the middle costs one step.

use std::time::Duration;

use mogbox_guest::{Context, Result, TaskError, task};

/// Does a step an attempt and answers the attempts that it took.
#[task(name = "example.checkpoints")]
fn checkpoints(
    ctx: &Context,
    /// How many steps there are; 3 if absent.
    steps: Option<u64>,
    /// Milliseconds to pause between them; 100 if absent.
    pause_ms: Option<u64>,
) -> Result<Vec<u32>> {
    let (steps, pause) = (steps.unwrap_or(3), Duration::from_millis(pause_ms.unwrap_or(100)));
    let mut attempts: Vec<u32> = ctx.state().get("attempts")?.unwrap_or_default();
    if (attempts.len() as u64) < steps {
        attempts.push(ctx.request().attempt);
        ctx.state().set("attempts", &attempts)?;
    }
    let done = attempts.len() as u64;
    ctx.progress(done, steps, format!("{done} of {steps} steps"))?;
    if done < steps { Err(TaskError::pause_after(pause)) } else { Ok(attempts) }
}

mogbox_guest::tasks![checkpoints];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::serde_json::json;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn it_goes_on_where_it_was() {
        let test = TestContext::new(TestRequest::new("example.checkpoints").kwarg("steps", 3).kwarg("pause_ms", 7));
        for attempt in 1..=2 {
            assert_eq!(test.run(&TASKS), Err(TaskError::pause_after(Duration::from_millis(7))));
            assert_eq!(test.stored_state()["attempts"], json!((1..=attempt).collect::<Vec<u32>>()));
            test.next_attempt();
        }
        assert_eq!(test.run(&TASKS), Ok(json!([1, 2, 3])));
        assert_eq!(test.stored_metadata()["progress"]["done"], 3);
    }

    #[test]
    fn an_attempt_after_the_last_step_does_not_do_it_again() {
        let test = TestContext::new(TestRequest::new("example.checkpoints").attempt(9));
        test.state().set("attempts", [1, 2, 3]).unwrap();
        assert_eq!(test.run(&TASKS), Ok(json!([1, 2, 3])));
    }
}
