//! What benches run: a task that does nothing, one that touches memory, and one that waits for a child that somebody else has to
//! finish.

use mogbox_guest::{Child, Context, Error, task};

/// Bytes of a page of the machine.
const PAGE: usize = 4_096;

/// Does nothing.
#[task(name = "bench.noop")]
fn noop() {}

/// Writes to so many pages of memory, as guests with an interpreter in them do before they do anything else.
#[task(name = "bench.touch")]
fn touch(pages: usize) -> u64 {
    let mut memory = vec![0u8; pages * PAGE];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = std::hint::black_box(1));
    memory.iter().step_by(PAGE).map(|byte| u64::from(*byte)).sum()
}

/// Submits a child through a queue and waits until it is done.
#[task(name = "bench.parent")]
fn parent(ctx: &Context, queue: String) -> Result<(), Error> {
    let child = ctx.submit(Child::new("bench.noop").queue(queue))?;
    ctx.wait_all(&[child]).map(drop)
}

mogbox_guest::tasks![noop, touch, parent];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::serde_json::json;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn every_page_is_touched() {
        assert_eq!(TestContext::new(TestRequest::new("bench.touch").arg(3)).run(&TASKS), Ok(json!(3)));
    }

    #[test]
    fn the_parent_sends_its_child_through_the_queue_that_it_is_told() {
        let test = TestContext::new(TestRequest::new("bench.parent").arg("elsewhere"));
        test.on_child(|_| TestContext::success(()));
        assert_eq!(test.run(&TASKS), Ok(json!(null)));
        assert_eq!(test.children()[0].queue.as_deref(), Some("elsewhere"));
    }
}
