//! Modules that misbehave when they are asked what they serve: refused, with the reason.

use mogbox_fixtures::guest::{Guest, ONE_TASK};

use super::victim::{OUT_OF_TIME, Victim};
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

#[test]
fn a_module_that_is_cut_short_or_bent_is_refused() {
    let victim = Victim::with_defaults();
    let whole = Guest::default().build();
    for cut in [9, whole.len() / 3, whole.len() - 1] {
        victim.refuses(&whole[..cut], "it is not a valid component: unexpected end-of-file");
    }
}
