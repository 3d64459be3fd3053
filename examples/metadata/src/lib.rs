//! Metadata: JSON by key that a client gives with a request, the task reads and changes, and anybody may look at from outside.

use mogbox_guest::{Context, Result, TaskError, task};

/// Tells who launched the task.
///
/// Reads the metadata `user_id` that the request was submitted with.
#[task(name = "demo.get_metadata")]
fn get_metadata(ctx: &Context) -> Result<String> {
    match ctx.metadata::<String>("user_id")? {
        Some(user) => Ok(format!("This task was launched by @{user}")),
        None => Err(TaskError::failed("KeyError", "no metadata \"user_id\": submit with `--metadata user_id='\"dol\"'`")),
    }
}

/// Changes who launched the task.
///
/// The new metadata is stored with the result, where everybody reads it; the request stays as it was submitted.
#[task(name = "demo.set_metadata")]
fn set_metadata(
    ctx: &Context,
    /// The user to store.
    user_id: String,
) -> Result<String> {
    let submitted = ctx.request().metadata.get("user_id").cloned();
    ctx.set_metadata("user_id", &user_id)?;
    let stored = ctx.metadata::<String>("user_id")?;
    if stored.as_deref() != Some(user_id.as_str()) {
        return Err(TaskError::failed("AssertionError", format!("stored {user_id:?}, read {stored:?}")));
    }
    if ctx.request().metadata.get("user_id") != submitted.as_ref() {
        return Err(TaskError::failed("AssertionError", "the request changed"));
    }
    Ok(format!("This task is now by @{user_id}"))
}

mogbox_guest::tasks![get_metadata, set_metadata];

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_guest::testing::{TestContext, TestRequest};

    #[test]
    fn it_answers_who_launched_it() {
        let test = TestContext::new(TestRequest::new("demo.get_metadata").metadata("user_id", "dol"));
        assert_eq!(get_metadata(&test).unwrap(), "This task was launched by @dol");
        let nobody = TestContext::new(TestRequest::new("demo.get_metadata"));
        assert!(matches!(get_metadata(&nobody), Err(TaskError::Failed { kind, .. }) if kind == "KeyError"));
    }

    #[test]
    fn what_it_changes_is_stored_and_the_request_stays() {
        let test = TestContext::new(TestRequest::new("demo.set_metadata").arg("dkl").metadata("user_id", "dol"));
        assert_eq!(test.run(&TASKS).unwrap(), "This task is now by @dkl");
        assert_eq!(test.stored_metadata()["user_id"], "dkl");
        assert_eq!(test.request().metadata["user_id"], "dol");
    }
}
