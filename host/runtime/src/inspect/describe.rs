//! Asks a module what it serves, in a sandbox with tight bounds, and checks every word of the answer.

use std::collections::HashSet;
use std::sync::Arc;

use mogbox_core::executor::Stop;
use mogbox_core::json::{Json, Kind};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::module::TaskDescription;
use mogbox_core::{Outcome, TaskName};
use tokio::time::Instant;
use wasmtime::{Engine, Store};

use crate::attempt::sandbox;
use crate::bindings::TaskPre;
use crate::bindings::exports::mogbox::task::tasks::Task;
use crate::ends::Ends;
use crate::guest::{Guest, World};
use crate::places::Place;
use crate::trap;

/// Tasks of one module.
const MAX_TASKS: usize = 1_000;

/// Bytes of a title, a description, a schema, and of everything together.
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 16 << 10;
const MAX_SCHEMA: usize = 64 << 10;
const MAX_TOTAL: usize = 1 << 20;

/// Bounds of the sandbox: milliseconds and bytes.
const WALL_TIME: u64 = 2_000;
const CPU_TIME: u64 = 1_000;
const MEMORY: u64 = 64 << 20;

/// What the module serves, or why that is not believed.
pub(crate) async fn describe(
    engine: &Engine,
    module: &TaskPre<Guest>,
    limits: &Limits,
    place: Arc<Place>,
) -> Result<Vec<TaskDescription>, String> {
    let limits = tight(limits);
    let stop = Stop::new();
    let ends = Ends::new(&stop, None).with_wall_time(Instant::now(), limits.duration(Bound::WallTime));
    let mut store = sandbox(engine, Guest::new(World::Describe, &limits, Arc::clone(&place)));
    let cpu = store.data().cpu.clone();
    let call = cpu.measure(call(&mut store, module));
    match ends.race(call).await {
        Ok(Ok(Ok(tasks))) => checked(tasks),
        Ok(Ok(Err(error))) => Err(explain(trap::outcome(&error, store.data()))),
        Ok(Err(cut)) | Err(cut) => Err(explain(cut.outcome(&limits))),
    }
}

async fn call(store: &mut Store<Guest>, module: &TaskPre<Guest>) -> wasmtime::Result<Vec<Task>> {
    let task = module.instantiate_async(&mut *store).await?;
    task.mogbox_task_tasks().call_describe(store).await
}

fn tight(limits: &Limits) -> Limits {
    Limits {
        wall_time: WALL_TIME,
        cpu_time: CPU_TIME,
        memory: limits.memory.min(MEMORY),
        result: MAX_TOTAL as u64,
        state: limits.state.min(MAX_TOTAL as u64),
        arguments: limits.arguments.min(MAX_TOTAL as u64),
        metadata: limits.metadata.min(MAX_TOTAL as u64),
        log: limits.log.min(MAX_TOTAL as u64),
        host_bytes: MAX_TOTAL as u64,
        host_calls: 10_000,
        ..limits.clone()
    }
}

fn explain(outcome: Outcome) -> String {
    match outcome {
        Outcome::OverBound { bound, limit } => format!("its describe went over the bound {bound} of {limit}, which is fixed for describe"),
        Outcome::Trapped { class, message } => format!("its describe crashed ({class}): {message}"),
        Outcome::Unavailable(text) => text,
        other => format!("its describe ended with {other:?}"),
    }
}

fn checked(tasks: Vec<Task>) -> Result<Vec<TaskDescription>, String> {
    if tasks.is_empty() {
        return Err("its describe names no task".into());
    }
    if tasks.len() > MAX_TASKS {
        return Err(format!("its describe names {} tasks, at most {MAX_TASKS} are allowed", tasks.len()));
    }
    let total: usize = tasks.iter().map(size).sum();
    if total > MAX_TOTAL {
        return Err(format!("its describe says {total} bytes, at most {MAX_TOTAL} are allowed"));
    }
    let mut names = HashSet::new();
    tasks.into_iter().map(|task| checked_task(task, &mut names)).collect()
}

fn size(task: &Task) -> usize {
    task.name.len() + task.title.len() + task.description.len() + task.parameters.len() + task.returns.as_ref().map_or(0, String::len)
}

fn checked_task(task: Task, names: &mut HashSet<TaskName>) -> Result<TaskDescription, String> {
    let name: TaskName = task.name.parse().map_err(|error| format!("its describe names a task wrongly: {error}"))?;
    if !names.insert(name.clone()) {
        return Err(format!("its describe names the task {name} twice"));
    }
    check_text(&name, "title", &task.title, MAX_TITLE)?;
    check_text(&name, "description", &task.description, MAX_DESCRIPTION)?;
    let parameters = schema(&name, "parameters", &task.parameters)?;
    if parameters.kind() != Kind::Dict {
        return Err(format!("the parameters of task {name} are no JSON Schema of an object: expected a JSON object"));
    }
    let returns = task.returns.map(|text| schema(&name, "returns", &text)).transpose()?;
    Ok(TaskDescription { name, title: task.title, description: task.description, parameters, returns })
}

fn check_text(task: &TaskName, what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.len() > most {
        return Err(format!("the {what} of task {task} has {} bytes, at most {most} are allowed", text.len()));
    }
    Ok(())
}

fn schema(task: &TaskName, what: &str, text: &str) -> Result<Json, String> {
    let json = Json::parse(text, MAX_SCHEMA).map_err(|error| format!("the {what} of task {task} are no JSON Schema: {error}"))?;
    match json.kind() {
        Kind::Dict | Kind::Bool => Ok(json),
        _ => Err(format!("the {what} of task {task} are no JSON Schema: expected an object, true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, parameters: &str) -> Task {
        Task { name: name.into(), title: String::new(), description: String::new(), parameters: parameters.into(), returns: None }
    }

    fn reason(tasks: Vec<Task>) -> String {
        checked(tasks).unwrap_err()
    }

    #[test]
    fn what_a_module_says_of_itself_is_checked_word_by_word() {
        assert_eq!(reason(vec![]), "its describe names no task");
        assert!(reason(vec![task("a b", "{}")]).contains("invalid task name \"a b\""));
        assert_eq!(reason(vec![task("a", "{}"), task("a", "{}")]), "its describe names the task a twice");
        assert!(reason(vec![task("a", "{")]).contains("the parameters of task a are no JSON Schema: not valid JSON"));
        assert!(reason(vec![task("a", "[]")]).contains("expected an object"));
        assert!(reason(vec![task("a", &format!("\"{}\"", "x".repeat(70_000)))]).contains("at most 65536 are allowed"));
        assert!(reason((0..1_001).map(|n| task(&format!("t{n}"), "{}")).collect()).contains("names 1001 tasks, at most 1000"));
        let long = Task { title: "x".repeat(257), ..task("a", "{}") };
        assert_eq!(reason(vec![long]), "the title of task a has 257 bytes, at most 256 are allowed");
        assert_eq!(checked(vec![task("a", "{}")]).unwrap().len(), 1);
    }
}
