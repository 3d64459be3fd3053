//! Modules that misbehave when they are asked what they serve: refused, with the reason.

use mogbox_fixtures::guest::{Guest, ONE_TASK};

use super::{are_refused, upload};
use crate::hostile::victim::{OUT_OF_TIME, Victim};
use crate::support::guests;

#[test]
fn a_loop_in_describe_is_refused() {
    let module = std::fs::read(guests::GUEST_DESCRIBE_LOOP).unwrap();
    Victim::with_defaults().refuses_for_one_of(&module, &OUT_OF_TIME);
}

fn describing(describe: &str) -> Vec<u8> {
    Guest { pages: 900, describe, ..Guest::default() }.build()
}

#[test]
fn a_describe_that_traps_or_takes_too_much_memory_is_refused() {
    let victim = Victim::with_defaults();
    victim.refuses(&describing("unreachable"), "its describe crashed (unreachable): wasm `unreachable` instruction executed");
    let greedy = "(if (i32.lt_s (memory.grow (i32.const 60000)) (i32.const 0)) (then unreachable)) (i32.const 0)";
    victim.refuses(&describing(greedy), "its describe went over the bound memory of 64MiB, which is fixed for describe");
}

#[test]
fn a_describe_of_a_million_tasks_is_refused() {
    let list = "(i32.store (i32.const 1024) (i32.const 65536)) (i32.store (i32.const 1028) (i32.const 1000000)) (i32.const 1024)";
    Victim::with_defaults().refuses(&describing(list), "its describe went over the bound result of 1MiB, which is fixed for describe");
}

#[test]
fn a_describe_of_a_thousand_and_one_tasks_is_refused() {
    let list = "(i32.store (i32.const 1024) (i32.const 65536)) (i32.store (i32.const 1028) (i32.const 1001)) (i32.const 1024)";
    Victim::with_defaults().refuses(&describing(list), "its describe names 1001 tasks, at most 1000 are allowed");
}

#[test]
fn a_describe_that_answers_no_utf8_or_what_lies_outside_of_memory_is_refused() {
    let victim = Victim::with_defaults();
    let items = r#"(data (i32.const 64) "\ff")"#;
    victim.refuses(&Guest { items, ..Guest::default() }.build(), "invalid utf-8");
    victim.refuses(&describing("(i32.const -4)"), "its describe crashed (invalid-answer)");
}

#[test]
fn a_describe_that_floods_the_log_gets_no_further_than_its_calls() {
    let flood =
        format!("(loop $again (call $log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (br $again)) {ONE_TASK}");
    let module = Guest { imports: mogbox_fixtures::guest::LOG, describe: &flood, ..Guest::default() }.build();
    Victim::with_defaults().refuses(&module, "its describe went over the bound host-calls of 10000, which is fixed for describe");
}

/// A list of so many tasks, each the same record, which lies at 4096.
fn listing(tasks: u32) -> String {
    format!("(i32.store (i32.const 1024) (i32.const 4096)) (i32.store (i32.const 1028) (i32.const {tasks})) (i32.const 1024)")
}

/// A good task as it lies in memory: name, title and description are one byte, parameters are the two after it, and nothing is returned.
const RECORD: &str = r#""\40\00\00\00\01\00\00\00" "\40\00\00\00\01\00\00\00" "\40\00\00\00\01\00\00\00" "\41\00\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00""#;

#[test]
fn a_describe_that_lies_is_refused_with_what_it_said() {
    let saying = |items: &str| Guest { items, ..Guest::default() }.build();
    let twice = format!("(data (i32.const 4096) {RECORD} {RECORD})");
    let twice = Guest { items: &twice, describe: &listing(2), ..Guest::default() }.build();
    // The description of the one task is 17 MiB that begin at the second page.
    let long = r#"(data (i32.const 96) "\00\00\01\00\00\00\10\01")"#;
    let long = Guest { pages: 300, items: long, ..Guest::default() }.build();
    let title = Guest { items: r#"(data (i32.const 88) "\00\00\01\00\2c\01\00\00")"#, ..Guest::default() }.build();
    are_refused([
        upload(
            "a task whose name is a line break",
            saying(r#"(data (i32.const 64) "\0a{}")"#),
            "names a task wrongly: invalid task name \"\\n\"",
        ),
        upload("a task whose name is a space", saying(r#"(data (i32.const 64) " {}")"#), "names a task wrongly: invalid task name \" \""),
        upload("a task whose name is a zero", saying(r#"(data (i32.const 64) "\00{}")"#), "names a task wrongly: invalid task name"),
        upload("a task without a name", saying(r#"(data (i32.const 84) "\00")"#), "names a task wrongly: invalid task name \"\""),
        upload("a task that is there twice", twice, "its describe names the task t twice"),
        upload("parameters that are no JSON", saying(r#"(data (i32.const 65) "{{")"#), "the parameters of task t are no JSON Schema"),
        upload("parameters that are a list", saying(r#"(data (i32.const 65) "[]")"#), "the parameters of task t are no JSON Schema"),
        upload("parameters that are a number", saying(r#"(data (i32.const 65) "17")"#), "the parameters of task t are no JSON Schema"),
        upload("no task", saying(r#"(data (i32.const 132) "\00")"#), "its describe names no task"),
        upload("a title of 300 bytes", title, "the title of task t has 300 bytes, at most 256 are allowed"),
        upload("a description of 17 mebibytes", long, "its describe went over the bound result of 1MiB, which is fixed for describe"),
    ]);
}
