//! `#[task]` and `tasks!` as a user meets them: described, run by name from JSON, and as plain functions.

#![allow(clippy::panic, reason = "the whole file is a test, its helping functions too")]

use std::collections::BTreeMap;
use std::time::Duration;

use mogbox_guest::testing::{TestContext, TestRequest};
use mogbox_guest::{ArgumentError, Child, Context, Error, Level, Result, TaskError, task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A place.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Point {
    x: f64,
    y: f64,
}

/// Moves a point.
///
/// By a distance on each axis.
#[task(name = "test.move")]
fn move_point(
    ctx: &Context,
    /// Where it is.
    point: Point,
    /// How far.
    by: Option<f64>,
    r#type: String,
) -> Result<Point> {
    ctx.info(format!("a {}", r#type));
    let by = by.unwrap_or(1.0);
    Ok(Point { x: point.x + by, y: point.y + by })
}

#[task(name = "test.nothing", title = "Does nothing")]
fn nothing() {}

#[task(name = "test.plain")]
fn plain(plain: u8, run: Option<u8>) -> u8 {
    plain + run.unwrap_or(0)
}

#[task(name = "test.any")]
fn any(value: Value) -> std::result::Result<Value, Error> {
    if value.is_null() { Err(Error::Unavailable("the store".into())) } else { Ok(value) }
}

mod inner {
    use mogbox_guest::{TaskError, task};

    #[task(name = "test.inner")]
    pub(super) fn again(after_ms: u64) -> Result<(), TaskError> {
        Err(TaskError::retry_after("later", std::time::Duration::from_millis(after_ms)))
    }
}

mogbox_guest::tasks![move_point, nothing, plain, any, inner::again];

fn run(request: TestRequest) -> Result<Value> {
    TestContext::new(request).run(&TASKS)
}

fn mistakes(request: TestRequest) -> Vec<(String, String)> {
    match run(request) {
        Err(TaskError::InvalidArguments(errors)) => {
            errors.into_iter().map(|ArgumentError { argument, message }| (argument, message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_runs_by_name_with_arguments_by_position_and_by_name() {
    let point = json!({"x": 1, "y": 2});
    let request = || TestRequest::new("test.move").arg(point.clone());
    assert_eq!(run(request().kwarg("type", "dot")), Ok(json!({"x": 2.0, "y": 3.0})));
    assert_eq!(run(request().arg(2.5).arg("dot")), Ok(json!({"x": 3.5, "y": 4.5})));
    assert_eq!(run(TestRequest::new("test.nothing")), Ok(Value::Null));
    assert_eq!(run(TestRequest::new("test.plain").arg(3).kwarg("run", 4)), Ok(json!(7)));
    assert_eq!(run(TestRequest::new("test.any").kwarg("value", json!([3, 3.0]))), Ok(json!([3, 3.0])));
}

#[test]
fn arguments_that_do_not_fit_are_named_with_the_reason() {
    let text = "x".repeat(1000);
    let found = mistakes(TestRequest::new("test.move").arg(json!({"x": 1})).kwarg("point", 1).kwarg("by", text).kwarg("colour", "red"));
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["point", "point", "by", "type", "colour"]);
    let message = |n: usize| found[n].1.as_str();
    assert_eq!(message(0), "given twice, the second time as 1");
    assert_eq!(message(1), "expected object Point with x, y, got {\"x\":1} (missing field `y`)");
    assert!(message(2).starts_with("expected number or null, got \"xxx") && message(2).len() < 300, "{}", message(2));
    assert_eq!(message(3), "missing: expected string");
    assert_eq!(message(4), "unexpected: got \"red\", the task's arguments are point, by, type");
    assert_eq!(
        mistakes(TestRequest::new("test.nothing").arg(1)),
        [("1".into(), "unexpected: got 1, the task's arguments are none".into())]
    );
}

#[test]
fn errors_and_wishes_reach_the_host_as_they_are() {
    assert_eq!(run(TestRequest::new("test.any").arg(Value::Null)), Err(TaskError::failed("Unavailable", "unavailable: the store")));
    assert_eq!(run(TestRequest::new("test.none")), Err(TaskError::UnknownTask));
    let later = TaskError::Retry { message: "later".into(), after: Some(Duration::from_millis(20)) };
    assert_eq!(run(TestRequest::new("test.inner").arg(20)), Err(later));
}

#[test]
fn a_task_describes_its_arguments_in_their_order() {
    let tasks = TASKS.describe();
    assert_eq!((tasks[0].title.as_str(), tasks[0].description.as_str()), ("Moves a point.", "By a distance on each axis."));
    let order: Vec<Option<usize>> = ["\"point\":{", "\"by\":{", "\"type\":{"].iter().map(|name| tasks[0].parameters.find(name)).collect();
    assert!(order[0].is_some() && order.is_sorted(), "{}", tasks[0].parameters);
    let schema: Value = serde_json::from_str(&tasks[0].parameters).unwrap();
    assert_eq!(schema["required"], json!(["point", "type"]));
    assert_eq!(schema["properties"]["point"], json!({"$ref": "#/$defs/Point", "description": "Where it is."}));
    assert_eq!(schema["$defs"]["Point"]["required"], json!(["x", "y"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let returns: Value = serde_json::from_str(tasks[0].returns.as_deref().unwrap()).unwrap();
    assert_eq!(returns["title"], "Point");
    assert_eq!((tasks[1].title.as_str(), tasks[3].returns.as_deref()), ("Does nothing", None));
}

#[test]
fn a_context_in_memory_keeps_what_the_task_does() {
    let test = TestContext::new(TestRequest::new("test.any").metadata("user_id", "dol"));
    test.set_metadata("user_id", "dkl").unwrap();
    test.progress(1, 3, "first").unwrap();
    test.state().set("at", 2).unwrap();
    test.log(Level::Warn, "slow", [("ms", 12)]);
    test.sleep(Duration::from_secs(3600));
    assert_eq!(test.metadata::<String>("user_id").unwrap().as_deref(), Some("dkl"));
    assert_eq!(test.request().metadata["user_id"], "dol");
    assert_eq!(test.stored_metadata()["progress"], json!({"done": 1, "total": 3, "message": "first"}));
    assert_eq!(test.state().pop::<u8>("at").unwrap(), Some(2));
    assert_eq!(test.stored_state(), BTreeMap::new());
    assert_eq!(test.log_lines()[0].fields["ms"], 12);
    assert_eq!(test.slept(), Duration::from_secs(3600));
    assert!(matches!(test.metadata::<u8>("user_id"), Err(Error::Invalid(text)) if text.starts_with("metadata \"user_id\" is \"dkl\"")));
    assert!(matches!(test.set_metadata("", 1), Err(Error::Invalid(_))));
    test.fail_calls(Some(Error::Unavailable("gone".into())));
    assert_eq!(test.all_metadata(), Err(Error::Unavailable("gone".into())));
}

#[test]
fn children_stand_as_the_test_scripts_them() {
    let test = TestContext::new(TestRequest::new("test.any"));
    let child = test.submit(Child::new("test.plain").kwarg("plain", 1).priority(9)).unwrap();
    let ids = [child.clone()];
    assert!(matches!(test.wait_all(&ids), Err(Error::Unavailable(_))), "a wait without end must not hang a test");
    let outcomes = test.wait_any_for(&ids, Duration::from_secs(5)).unwrap();
    assert!(!outcomes[0].is_done() && test.slept() == Duration::from_secs(5));
    test.on_child(|child| TestContext::success(child.kwargs["plain"].clone()));
    assert_eq!(test.wait_all(&ids).unwrap()[0].value::<u8>().unwrap(), 1);
    assert_eq!(test.children()[0].priority, Some(9));
    let map_with_other_keys = BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(test.submit(Child::new("a").arg(map_with_other_keys)), Err(Error::Invalid(text)) if text.contains("an argument")));
}

#[test]
fn a_child_that_is_waited_for_twice_is_refused_as_a_node_does() {
    let test = TestContext::new(TestRequest::new("example.add"));
    let child = test.submit(Child::new("example.add").arg(1)).unwrap();
    let error = test.wait_all(&[child.clone(), child.clone()]).unwrap_err();
    assert_eq!(error.to_string(), format!("invalid: id {child} is there more than once: expected each child once"));
}
