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

/// Computes for so many rounds: some milliseconds each million.
#[task(name = "bench.compute")]
fn compute(rounds: u64) -> u64 {
    (0..rounds).fold(0x9e37_79b9_7f4a_7c15, |number: u64, round| {
        std::hint::black_box(number ^ round).rotate_left(7).wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

/// Submits a child through a queue and waits until it is done.
#[task(name = "bench.parent")]
fn parent(ctx: &Context, queue: String) -> Result<(), Error> {
    let child = ctx.submit(Child::new("bench.noop").queue(queue))?;
    ctx.wait_all(&[child]).map(drop)
}

mogbox_guest::tasks![noop, touch, parent, compute];

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
    fn rounds_are_computed() {
        let once = TestContext::new(TestRequest::new("bench.compute").arg(1)).run(&TASKS);
        assert!(once.is_ok() && once != TestContext::new(TestRequest::new("bench.compute").arg(2)).run(&TASKS));
    }

    #[test]
    fn the_parent_sends_its_child_through_the_queue_that_it_is_told() {
        let test = TestContext::new(TestRequest::new("bench.parent").arg("elsewhere"));
        test.on_child(|_| TestContext::success(()));
        assert_eq!(test.run(&TASKS), Ok(json!(null)));
        assert_eq!(test.children()[0].queue.as_deref(), Some("elsewhere"));
    }
}
