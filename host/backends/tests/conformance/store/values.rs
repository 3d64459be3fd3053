//! Values and reports come back as they were stored.

use mogbox_core::entries::Entries;
use mogbox_core::ids::{Digest, RequestId};
use mogbox_core::report::{Level, LogLine, Receipt, Report};
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{Transition, Waits};

use super::world::{World, entries, finish, finish_with, json, node, now};
use crate::harness::on_both;

on_both! { World;
    a_value_of_any_kind_comes_back
    an_exception_of_any_kind_comes_back
    a_large_value_comes_back
    a_report_comes_back
    what_was_not_stored_is_not_there
}

async fn comes_back(world: &World, value: Value) {
    let id = world.running().await;
    world.step(id, 1, finish_with(State::Success, value.clone())).await;
    assert_eq!(world.results.value(&world.tenant, id).await.unwrap(), Some(value));
}

async fn a_value_of_any_kind_comes_back(world: World) {
    for text in
        ["null", "true", "7", "123456789012345678901234567890", "3.0", "1e300", r#""ü \u0000 😀""#, "[]", r#"[1,[2.50,null]]"#, "{}"]
    {
        comes_back(&world, Value::Success(json(text))).await;
    }
    comes_back(&world, Value::Success(json(r#"{"b":1,"a":{"b":[{}]}}"#))).await;
}

async fn an_exception_of_any_kind_comes_back(world: World) {
    let text = |text: &str| text.to_owned();
    for exception in [
        Exception::Failed { kind: text("ValueError"), message: text("boom"), traceback: text("line 1\nline 2") },
        Exception::UnknownTask(text("demo.nope")),
        Exception::InvalidTaskArguments(vec![(text("n2"), text("expected a number"))]),
        Exception::Timeout,
        Exception::TooManyRetries { id: RequestId::random(), actual: 4, max: 3 },
        Exception::RecursionLimit,
        Exception::NotReady,
    ] {
        comes_back(&world, Value::Exception(exception)).await;
    }
}

async fn a_large_value_comes_back(world: World) {
    let text = format!("[{}\"end\"]", "\"the same words, again and again\",".repeat(60_000));
    assert!(text.len() > 1 << 20);
    comes_back(&world, Value::Success(json(&text))).await;
}

async fn a_report_comes_back(world: World) {
    let line = LogLine { at: now(), level: Level::Warn, message: "hello \u{1b}[0m".to_owned(), fields: entries([("k", "[1]")]) };
    let receipt = Receipt { run_us: 5, module: Some(Digest::of(b"m")), node_id: Some(node()), started: Some(now()), ..Receipt::default() };
    let bare = LogLine { fields: Entries::new(), ..line.clone() };
    let report = Report { attempt: 2, receipt, error: Some("trap".to_owned()), log: vec![line, bare], dropped_lines: 3 };
    let id = world.running().await;
    let end = finish_with(State::Failure, Value::Exception(Exception::Timeout));
    let Transition::Finish { state, value, at, .. } = end else { unreachable!() };
    world
        .step(
            id,
            1,
            Transition::Finish { state, value, at, report: Some(Box::new(report.clone())), waits: Waits::default(), kept_state: true },
        )
        .await;
    assert_eq!(world.results.report(&world.tenant, id).await.unwrap(), Some(report));
}

async fn what_was_not_stored_is_not_there(world: World) {
    let id = world.running().await;
    assert_eq!(world.results.value(&world.tenant, id).await.unwrap(), None);
    world.step(id, 1, finish(State::Success)).await;
    assert_eq!(world.results.report(&world.tenant, id).await.unwrap(), None);
    assert_eq!(world.results.value(&world.tenant, RequestId::random()).await.unwrap(), None);
}
