//! Write Mogbox tasks in Rust. A task is an ordinary function:
//!
//! ```
//! use mogbox_guest::{Context, Result, TaskError, task};
//!
//! /// Divides two numbers.
//! #[task(name = "example.divide")]
//! fn divide(ctx: &Context, dividend: f64, divisor: f64, digits: Option<u32>) -> Result<f64> {
//!     if divisor == 0.0 {
//!         return Err(TaskError::failed("ZeroDivisionError", "division by zero"));
//!     }
//!     ctx.info(format!("dividing {dividend}"));
//!     let scale = 10f64.powi(i32::try_from(digits.unwrap_or(3))?);
//!     Ok((dividend / divisor * scale).round() / scale)
//! }
//!
//! mogbox_guest::tasks![divide];
//! # fn main() {
//! # use mogbox_guest::testing::{TestContext, TestRequest};
//! let test = TestContext::new(TestRequest::new("example.divide").arg(2).kwarg("divisor", 3));
//! assert_eq!(test.run(&TASKS), Ok(serde_json::json!(0.667)));
//! assert_eq!(divide(&test, 1.0, 8.0, None).unwrap(), 0.125);
//! # }
//! ```
//!
//! - **Arguments** come by position or by name. `Option<T>` may be left out. A type is anything with `serde::Deserialize` and
//!   [`schemars::JsonSchema`]; arguments that do not fit are refused before the function runs, each named with the reason.
//! - **The context** is the first argument, `&Context`, and may be left out: [`Context`] has metadata, state, children, progress, log.
//! - **The value** is anything with `serde::Serialize` and [`schemars::JsonSchema`], plain or in a `Result`. `?` works on every error.
//! - **Documentation** becomes the task's title (first paragraph) and description; that of an argument goes into the schema.
//! - [`tasks!`] lists the tasks of the module, once, at the root of the crate. A function that is forgotten there is told by the compiler:
//!   it is never used.
//! - **Tests** run natively: [`testing::TestContext`] is a context in memory, and `TASKS` runs by name as a node does.
//! - A **module** is a crate with `crate-type = ["cdylib"]` that depends on this one (and on `serde` and `schemars`, where it derives
//!   for types of its own). `mogbox build`, or `cargo build --release --target wasm32-wasip2`, makes a component of it.
//! - **Time** is [`Context::sleep`] and [`Context::remaining`]; the standard library's clocks and output work on `wasm32-wasip2` only.
//! - A **panic** is logged with its place, then ends the attempt as a failure that says the same.

mod arguments;
mod child;
mod context;
mod describe;
mod error;
mod expected;
mod host;
mod json;
mod request;
mod task_error;
mod tasks;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use mogbox_guest_macros::task;
pub use {schemars, serde, serde_json};

pub use arguments::Arguments;
pub use child::{Child, ChildId, ChildOutcome};
pub use context::{Context, State};
pub use describe::TaskDescription;
pub use error::Error;
pub use request::{Level, Request};
pub use task_error::{ArgumentError, TaskError};
pub use tasks::{Task, TaskEntry, Tasks};

/// What a task returns: its value, or how it ended without one.
pub type Result<T, E = TaskError> = std::result::Result<T, E>;

/// For the code that `#[task]` generates.
#[doc(hidden)]
pub mod __private {
    pub use crate::arguments::Bound;
    pub use crate::describe::Describe;
    pub use crate::tasks::{Fallible, answer, answer_value};
}

/// Lists the tasks of a module, once, at the root of its crate: `mogbox_guest::tasks![add, other::subtract];`. It makes the `static`
/// [`TASKS`](Tasks) of them, which tests use, and exports them to the host.
#[macro_export]
macro_rules! tasks {
    ($($task:ty),+ $(,)?) => {
        /// The tasks of this module.
        pub static TASKS: $crate::Tasks = $crate::Tasks::new(&[$(<$task as $crate::Task>::ENTRY),+]);

        #[cfg(target_family = "wasm")]
        #[doc(hidden)]
        #[unsafe(export_name = "mogbox_guest_tasks_macro_is_missing")]
        pub fn __mogbox_guest_tasks() -> &'static $crate::Tasks {
            &TASKS
        }
    };
}
