//! Progress: metadata by convention, which clients show as a bar while the task runs.

use std::time::Duration;

use mogbox_guest::{Context, Result, TaskError, task};

/// Works step by step and tells how far it is.
#[task(name = "example.progress")]
fn progress(
    ctx: &Context,
    /// How many steps there are; 10 if absent.
    steps: Option<u64>,
    /// Milliseconds that a step takes; 200 if absent.
    step_ms: Option<u64>,
) -> Result<u64> {
    let (steps, step) = (steps.unwrap_or(10), Duration::from_millis(step_ms.unwrap_or(200)));
    for done in 0..steps {
        if ctx.cancelled() {
            // The node drains: another one starts over. (Of a revoked request nobody asks what its task answered.)
            return Err(TaskError::pause());
        }
        ctx.progress(done, steps, format!("step {} of {steps}", done + 1))?;
        ctx.sleep(step);
    }
    ctx.progress(steps, steps, "done")?;
    Ok(steps)
}

mogbox_guest::tasks![progress];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::serde_json::json;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn it_ends_with_every_step_done() {
        let test = TestContext::new(TestRequest::new("example.progress").arg(3).arg(50));
        assert_eq!(test.run(&TASKS), Ok(json!(3)));
        assert_eq!(test.stored_metadata()["progress"], json!({"done": 3, "total": 3, "message": "done"}));
        assert_eq!(test.slept(), Duration::from_millis(150));
    }

    #[test]
    fn it_stops_when_it_is_asked_to() {
        let test = TestContext::new(TestRequest::new("example.progress"));
        test.cancel();
        assert_eq!(progress(&test, None, None), Err(TaskError::pause()));
    }
}
