//! The smallest task: two numbers in, one out.

use mogbox_guest::task;

/// Adds two numbers.
#[task(name = "example.add")]
fn add(n1: f64, n2: f64) -> f64 {
    n1 + n2
}

mogbox_guest::tasks![add];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::TaskError;
    use mogbox_guest::serde_json::json;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn it_adds_as_a_function_and_as_a_task() {
        assert_eq!(add(1.0, 2.0), 3.0);
        let test = TestContext::new(TestRequest::new("example.add").arg(1).kwarg("n2", 2.5));
        assert_eq!(test.run(&TASKS), Ok(json!(3.5)));
    }

    #[test]
    fn arguments_that_are_no_numbers_are_refused() {
        let test = TestContext::new(TestRequest::new("example.add").arg("one"));
        let Err(TaskError::InvalidArguments(errors)) = test.run(&TASKS) else { panic!("it ran") };
        assert_eq!(errors.iter().map(|error| error.argument.as_str()).collect::<Vec<_>>(), ["n1", "n2"]);
    }
}
