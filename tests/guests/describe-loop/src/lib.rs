//! A module whose description never ends: an upload must refuse it in bounded time.

use mogbox_guest::{Arguments, Context, Task, TaskDescription, TaskEntry, TaskError};

enum Endless {}

impl Task for Endless {
    const ENTRY: TaskEntry = TaskEntry::new("describe-loop.never", describe, run);
}

fn describe() -> TaskDescription {
    loop {
        std::hint::spin_loop();
    }
}

fn run(_: &Context, _: Arguments) -> Result<String, TaskError> {
    Ok("null".to_owned())
}

mogbox_guest::tasks![Endless];
