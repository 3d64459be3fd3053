//! The node as host: the one module that knows the generated bindings, and their types in both directions.

use std::sync::Once;
use std::time::Duration;

use bindings::exports::mogbox::task::tasks as exported;
use bindings::mogbox::task::{context, log, requests, state, types};
use wasip2::clocks::monotonic_clock;

use crate::child::{Child, ChildId, ChildOutcome};
use crate::context::{Context, WaitMode};
use crate::json::any;
use crate::{Arguments, Error, Level, Request, TaskDescription, TaskError, Tasks};

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated from wit/: the boundary of WebAssembly is unsafe")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "task" });

    export!(Module with_types_in self);

    use super::Module;

    unsafe extern "Rust" {
        /// Made by `tasks!` in the module's own crate. The linker names the symbol where that is missing, so it says so.
        #[link_name = "mogbox_guest_tasks_macro_is_missing"]
        pub safe fn mogbox_guest_tasks() -> &'static super::Tasks;
    }
}

/// The module as the node calls it.
struct Module;

impl exported::Guest for Module {
    fn describe() -> Vec<exported::Task> {
        log_panics();
        bindings::mogbox_guest_tasks().describe().into_iter().map(exported::Task::from).collect()
    }

    fn run(name: String, args: Vec<String>, kwargs: Vec<types::Entry>) -> Result<String, exported::TaskError> {
        log_panics();
        let arguments = Arguments::new(args, kwargs.into_iter().map(pair).collect());
        Ok(bindings::mogbox_guest_tasks().run(&Context { host: Host }, &name, arguments)?)
    }
}

/// A panic ends in a trap that carries no text: its message goes to the log first.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| log::log(log::Level::Error, &panic.to_string(), &[]))));
}

/// The host calls of a node.
pub(crate) struct Host;

impl Host {
    pub(crate) fn request(&self) -> Request {
        context::get_request().into()
    }

    pub(crate) fn metadata(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(context::get_metadata(key)?)
    }

    pub(crate) fn all_metadata(&self) -> Result<Vec<(String, String)>, Error> {
        Ok(context::list_metadata()?.into_iter().map(pair).collect())
    }

    pub(crate) fn set_metadata(&self, given: Vec<(String, String)>) -> Result<(), Error> {
        Ok(context::set_metadata(&entries(given))?)
    }

    pub(crate) fn state(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(state::get(key)?)
    }

    pub(crate) fn set_state(&self, key: &str, value: &str) -> Result<(), Error> {
        Ok(state::set(key, value)?)
    }

    pub(crate) fn pop_state(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(state::pop(key)?)
    }

    pub(crate) fn clear_state(&self) -> Result<(), Error> {
        Ok(state::clear()?)
    }

    pub(crate) fn submit(&self, child: Child) -> Result<String, Error> {
        Ok(requests::submit(&child.into())?)
    }

    pub(crate) fn wait(&self, ids: &[ChildId], until: WaitMode, longest: Option<Duration>) -> Result<Vec<ChildOutcome>, Error> {
        let ids: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        let mode = match until {
            WaitMode::All => requests::WaitMode::All,
            WaitMode::Any => requests::WaitMode::Any,
        };
        Ok(requests::wait(&ids, mode, longest.map(milliseconds))?.into_iter().map(ChildOutcome::from).collect())
    }

    pub(crate) fn sleep(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        monotonic_clock::subscribe_duration(nanoseconds).block();
    }

    pub(crate) fn cancelled(&self) -> bool {
        context::cancelled()
    }

    pub(crate) fn remaining(&self) -> Option<Duration> {
        context::remaining_ms().map(Duration::from_millis)
    }

    pub(crate) fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::log(level, message, &entries(fields));
    }
}

fn entries(pairs: Vec<(String, String)>) -> Vec<types::Entry> {
    pairs.into_iter().map(|(key, value)| types::Entry { key, value }).collect()
}

fn pair(entry: types::Entry) -> (String, String) {
    (entry.key, entry.value)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Denied(text) => Self::Denied(text),
            types::Error::TooLarge(text) => Self::TooLarge(text),
            types::Error::Limit(text) => Self::Limit(text),
            types::Error::NotFound(text) => Self::NotFound(text),
            types::Error::Invalid(text) => Self::Invalid(text),
            types::Error::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<types::Request> for Request {
    fn from(request: types::Request) -> Self {
        let map = |entries: Vec<types::Entry>| entries.into_iter().map(|entry| (entry.key, any(&entry.value))).collect();
        Self {
            id: request.id,
            name: request.name,
            args: request.args.iter().map(|text| any(text)).collect(),
            kwargs: map(request.kwargs),
            metadata: map(request.metadata),
            stack: request.stack,
            attempt: request.attempt,
            priority: request.priority,
            queue: request.queue,
            tenant: request.tenant,
            deadline: request.deadline_ms.map(Duration::from_millis),
        }
    }
}

impl From<Child> for requests::NewRequest {
    fn from(child: Child) -> Self {
        Self {
            name: child.name,
            args: child.args,
            kwargs: entries(child.kwargs),
            metadata: entries(child.metadata),
            priority: child.priority,
            queue: child.queue,
            deadline_ms: child.deadline.map(milliseconds),
        }
    }
}

impl From<requests::ChildOutcome> for ChildOutcome {
    fn from(outcome: requests::ChildOutcome) -> Self {
        match outcome {
            requests::ChildOutcome::Success(text) => Self::Success(text),
            requests::ChildOutcome::Failure(text) => Self::Failure(text),
            requests::ChildOutcome::Revoked(text) => Self::Revoked(text),
            requests::ChildOutcome::Invalid(text) => Self::Invalid(text),
            requests::ChildOutcome::Pending => Self::Pending,
        }
    }
}

impl From<TaskDescription> for exported::Task {
    fn from(task: TaskDescription) -> Self {
        let TaskDescription { name, title, description, parameters, returns } = task;
        Self { name, title, description, parameters, returns }
    }
}

impl From<TaskError> for exported::TaskError {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Failed { kind, message, details } => {
                Self::Failed(exported::Failure { kind, message, details: details.map(|details| details.to_string()) })
            }
            TaskError::InvalidArguments(errors) => {
                let each = errors.into_iter().map(|error| exported::ArgumentError { argument: error.argument, message: error.message });
                Self::InvalidArguments(each.collect())
            }
            TaskError::UnknownTask => Self::UnknownTask,
            TaskError::Retry { message, after } => Self::Retry(exported::Retry { message, after_ms: after.map(milliseconds) }),
            TaskError::Pause(after) => Self::Pause(after.map(milliseconds)),
        }
    }
}
