//! The tasks of a module: found by name, described and run from JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::Arguments;
use crate::describe::TaskDescription;
use crate::{Context, TaskError};

/// A function under `#[task]`; the attribute implements it for a type that has the function's name.
pub trait Task {
    /// Its name, and how it is described and run.
    const ENTRY: TaskEntry;
}

/// One task of a module.
pub struct TaskEntry {
    name: &'static str,
    describe: fn() -> TaskDescription,
    run: fn(&Context, Arguments) -> Result<String, TaskError>,
}

impl TaskEntry {
    /// For the code that `#[task]` generates.
    #[must_use]
    pub const fn new(
        name: &'static str,
        describe: fn() -> TaskDescription,
        run: fn(&Context, Arguments) -> Result<String, TaskError>,
    ) -> Self {
        Self { name, describe, run }
    }
}

/// Every task of a module; [`tasks!`](crate::tasks) makes it.
pub struct Tasks(&'static [TaskEntry]);

impl Tasks {
    /// The tasks of a module. Two of one name do not compile.
    #[must_use]
    pub const fn new(entries: &'static [TaskEntry]) -> Self {
        check_names(entries);
        Self(entries)
    }

    /// What each task tells of itself.
    #[must_use]
    pub fn describe(&self) -> Vec<TaskDescription> {
        self.0.iter().map(|entry| (entry.describe)()).collect()
    }

    /// Runs a task from JSON as a node does; the value is JSON text.
    ///
    /// # Errors
    /// [`TaskError::UnknownTask`], [`TaskError::InvalidArguments`], or what the task answers.
    pub fn run(&self, context: &Context, name: &str, arguments: Arguments) -> Result<String, TaskError> {
        match self.0.iter().find(|entry| entry.name == name) {
            Some(entry) => (entry.run)(context, arguments),
            None => Err(TaskError::UnknownTask),
        }
    }
}

#[allow(clippy::panic, clippy::indexing_slicing, reason = "runs in the compiler, whose error it is")]
const fn check_names(entries: &[TaskEntry]) {
    let mut later = 1;
    while later < entries.len() {
        let mut earlier = 0;
        while earlier < later {
            assert!(!equal(entries[earlier].name.as_bytes(), entries[later].name.as_bytes()), "two tasks of one module have the same name");
            earlier += 1;
        }
        later += 1;
    }
}

#[allow(clippy::indexing_slicing, reason = "runs in the compiler, and both have the length that is looked at")]
const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The value type of a `Result`, under whatever alias.
pub trait Fallible {
    /// What it holds where it succeeded.
    type Value: Serialize + JsonSchema;
}

impl<T: Serialize + JsonSchema, E> Fallible for Result<T, E> {
    type Value = T;
}

/// The answer of a task that may fail.
///
/// # Errors
/// What the task answers, or where its value is no JSON.
pub fn answer<T: Serialize, E: Into<TaskError>>(result: Result<T, E>) -> Result<String, TaskError> {
    answer_value(result.map_err(Into::into)?)
}

/// The answer of a task that cannot fail.
///
/// # Errors
/// Where its value is no JSON.
pub fn answer_value<T: Serialize>(value: T) -> Result<String, TaskError> {
    Ok(crate::json::encode("the task's value", value)?)
}
