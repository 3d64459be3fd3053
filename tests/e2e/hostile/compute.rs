//! Instructions: none that is legal, or too many.

use mogbox_fixtures::guest::Guest;
use serde_json::json;

use super::victim::{OUT_OF_TIME, Victim};

#[test]
fn a_trap_is_a_failure() {
    Victim::with_defaults().ends("hostile.trap", json!([]), "FAILURE", "wasm `unreachable` instruction executed");
}

#[test]
fn a_panic_is_a_failure_that_says_what_it_panicked_with() {
    let request = Victim::with_defaults().ends("hostile.panic", json!(["no such luck"]), "FAILURE", "no such luck");
    let log = request["report"]["log"].to_string();
    assert!(log.contains("panicked"), "{log}");
}

#[test]
fn an_endless_loop_ends_at_the_bound_on_cpu_time() {
    let victim = Victim::short_of_cpu_time();
    let text = "over the bound cpu-time of 100ms; a node started with --limit cpu-time=VALUE raises it, up to 24h";
    victim.ends("hostile.loop_for_ever", json!([]), "FAILURE", text);
}

#[test]
fn an_endless_loop_with_a_deadline_is_revoked() {
    let victim = Victim::with_defaults();
    let id = victim.hostile().submit_request(&json!({ "name": "hostile.loop_for_ever", "deadline": "PT0.2S" }));
    let request = victim.hostile().wait(&id);
    assert_eq!((&request["state"], &request["error"]["code"]), (&json!("REVOKED"), &json!("deadline-passed")));
    victim.still_serves("a loop with a deadline");
}

#[test]
fn a_revoked_guest_is_stopped_even_where_it_spins() {
    let victim = Victim::with_defaults();
    let api = victim.hostile();
    let id = api.submit("hostile.loop_for_ever", json!([]), json!({}));
    api.until(&id, "running", |request| request["state"] == "RUNNING");
    api.post(&format!("/v1/requests/{id}/revoke"), &json!({})).ok();
    assert_eq!(api.wait(&id)["state"], "REVOKED");
    victim.still_serves("a loop that was revoked");
}

#[test]
fn endless_recursion_overflows_the_guests_own_stack() {
    // The frames of compiled Rust lie in the guest's own memory, below which there is nothing.
    Victim::with_defaults().ends("hostile.recurse", json!([]), "FAILURE", "out of bounds memory access");
}

#[test]
fn endless_recursion_without_frames_in_memory_overflows_the_stack_that_the_host_gives() {
    let items = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let guest = Guest { items, ..Guest::running("(call $deep (i32.const 1))") };
    Victim::with_defaults().guest_ends("recursion", &guest, "FAILURE", "call stack exhausted");
}

#[test]
fn one_function_with_fifty_thousand_locals_overflows_the_stack_at_once_or_soon() {
    let locals = "i64 ".repeat(45_000);
    let sums: String = (0..45_000).step_by(9).map(|n| format!("(local.set {n} (i64.add (local.get {n}) (local.get 1)))")).collect();
    let items = format!("(func $wide (local {locals}) {sums} (call $wide))");
    let guest = Guest { items: &items, ..Guest::running("(call $wide) (i32.const 0)") };
    Victim::with_defaults().guest_ends("wide", &guest, "FAILURE", "call stack exhausted");
}

#[test]
fn calls_through_a_table_to_nothing_or_to_another_type_are_failures() {
    let items = "(type $takes (func (param i64))) (table $t 2 funcref) (elem (i32.const 1) $other) (func $other)";
    let call = |at: u32| format!("(call_indirect $t (type $takes) (i64.const 1) (i32.const {at})) (i32.const 0)");
    for (at, text) in [(0, "uninitialized element"), (1, "indirect call type mismatch"), (2, "undefined element")] {
        let body = call(at);
        Victim::with_defaults().guest_ends(&format!("call-{at}"), &Guest { items, ..Guest::running(&body) }, "FAILURE", text);
    }
}

#[test]
fn a_start_function_that_traps_or_loops_is_refused_with_its_module() {
    let refused = |body: &str, texts: &[&str]| {
        let items = format!("(func $start {body}) (start $start)");
        Victim::with_defaults().refuses_for_one_of(&Guest { items: &items, ..Guest::default() }.build(), texts);
    };
    refused("unreachable", &["its describe crashed (unreachable): wasm `unreachable` instruction executed"]);
    refused("(loop $again (br $again))", &OUT_OF_TIME);
}
