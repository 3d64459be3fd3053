//! A parent with children: requests of its own that it submits, waits for without holding a thread, and puts together.

use mogbox_guest::{Child, ChildId, Context, Result, task};

/// Adds the numbers from 1 up, each with its double by a child of its own, and sums what they answer.
#[task(name = "example.family")]
fn family(
    ctx: &Context,
    /// How many children there are; 3 if absent.
    children: Option<u32>,
) -> Result<f64> {
    let count = children.unwrap_or(3);
    let submitted = (1..=count).map(|n| ctx.submit(Child::new("example.add").arg(n).kwarg("n2", 2 * n)));
    let ids: Vec<ChildId> = submitted.collect::<Result<_, _>>()?;
    ctx.info(format!("waiting for {count} children"));
    ctx.wait_all(&ids)?.iter().map(|outcome| outcome.value::<f64>()).sum()
}

mogbox_guest::tasks![family];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::testing::{TestContext, TestRequest};
    use mogbox_guest::{ChildOutcome, TaskError};

    #[test]
    fn it_sums_what_its_children_answer() {
        let test = TestContext::new(TestRequest::new("example.family"));
        test.on_child(|child| TestContext::success(child.args[0].as_f64().unwrap() + child.kwargs["n2"].as_f64().unwrap()));
        assert_eq!(family(&test, Some(3)).unwrap(), 18.0);
        assert_eq!(test.children().len(), 3);
    }

    #[test]
    fn it_fails_with_the_first_child_that_fails() {
        let test = TestContext::new(TestRequest::new("example.family"));
        test.on_child(|_| ChildOutcome::Invalid("no module serves task \"example.add\"".into()));
        let failure = TaskError::failed("ChildInvalid", "no module serves task \"example.add\"");
        assert_eq!(family(&test, None).unwrap_err(), failure);
    }
}
