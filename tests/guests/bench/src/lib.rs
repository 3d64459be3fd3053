//! What `mogbox bench` runs: a task that does nothing, and one that waits for a child that somebody else has to finish.

use mogbox_guest::{Child, Context, Error, task};

/// Does nothing.
#[task(name = "bench.noop")]
fn noop() {}

/// Submits a child through a queue and waits until it is done.
#[task(name = "bench.parent")]
fn parent(ctx: &Context, queue: String) -> Result<(), Error> {
    let child = ctx.submit(Child::new("bench.noop").queue(queue))?;
    ctx.wait_all(&[child]).map(drop)
}

mogbox_guest::tasks![noop, parent];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::serde_json::json;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn the_parent_sends_its_child_through_the_queue_that_it_is_told() {
        let test = TestContext::new(TestRequest::new("bench.parent").arg("elsewhere"));
        test.on_child(|_| TestContext::success(()));
        assert_eq!(test.run(&TASKS), Ok(json!(null)));
        assert_eq!(test.children()[0].queue.as_deref(), Some("elsewhere"));
    }
}
