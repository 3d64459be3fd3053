//! How a run ends: with too much, too deep, malformed, or never.

use mogbox_fixtures::guest::Guest;
use serde_json::json;

use super::victim::{Victim, message};

#[test]
fn a_result_of_100_mebibytes_is_refused_with_the_bound_named() {
    let body = "(drop (memory.grow (i32.const 1700))) (memory.fill (i32.const 65536) (i32.const 49) (i32.const 104857600)) (call $ok (i32.const 65536) (i32.const 104857600))";
    let guest = Guest::running(body);
    Victim::raised().guest_ends("huge-result", &guest, "FAILURE", "over the bound result of 64MiB");
    let text = "over the bound result of 4MiB; a node started with --limit result=VALUE raises it, up to 64MiB";
    Victim::with_defaults().ends("hostile.big_result", json!([10_000_000]), "FAILURE", text);
}

#[test]
fn a_result_that_is_no_json_is_a_failure_that_shows_its_beginning() {
    let text = "it starts with \"{\\\"open\\\": [\"";
    Victim::with_defaults().ends("hostile.raw", json!(["{\"open\": ["]), "FAILURE", text);
    for malformed in ["", "nul", "1 2", "\"\n\"", "NaN", "{\"a\":1,}", "\u{feff}1", "[1]]", "\"\\ud800\""] {
        Victim::with_defaults().ends("hostile.raw", json!([malformed]), "FAILURE", "the result is not valid JSON");
    }
}

#[test]
fn a_result_that_is_nested_too_deep_is_a_failure() {
    Victim::with_defaults().ends("hostile.deep_json", json!([100]), "FAILURE", "nested deeper than 64");
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(100_000);
        Victim::with_defaults().ends("hostile.raw", json!([deep]), "FAILURE", "nested deeper than 64");
    }
}

#[test]
fn a_result_that_is_no_utf8_is_a_failure() {
    let items = r#"(data (i32.const 1000) "\"\ff\fe\"")"#;
    let guest = Guest { items, ..Guest::running("(call $ok (i32.const 1000) (i32.const 4))") };
    Victim::with_defaults().guest_ends("no-utf8", &guest, "FAILURE", "invalid utf-8");
}

#[test]
fn a_result_that_lies_outside_of_memory_is_a_failure() {
    let guest = Guest::running("(call $ok (i32.const -16) (i32.const 100))");
    Victim::with_defaults().guest_ends("outside", &guest, "FAILURE", "string pointer/length out of bounds of memory");
    let guest = Guest::running("(i32.const 1)");
    Victim::with_defaults().guest_ends("unaligned", &guest, "FAILURE", "pointer not aligned");
}

#[test]
fn a_failure_of_megabytes_is_cut_or_refused() {
    let victim = Victim::with_defaults();
    for lengths in [[10 << 20, 0, 0], [0, 10 << 20, 0], [0, 0, 10 << 20], [2 << 20, 2 << 20, 2 << 20]] {
        victim.ends("hostile.fail_at_length", json!(lengths), "FAILURE", "over the bound result of 4MiB");
    }
    let request = victim.ends("hostile.fail_at_length", json!([1 << 20, 1 << 20, 1 << 20]), "FAILURE", "mmmm");
    let error = request["error"].to_string();
    assert!(error.len() < 200 << 10, "{} bytes of an error", error.len());
}

#[test]
fn a_million_arguments_that_do_not_fit_are_refused_and_a_thousand_are_cut() {
    let victim = Victim::with_defaults();
    victim.ends("hostile.invalid_arguments", json!([1_000_000]), "FAILURE", "over the bound result of 4MiB");
    let request = victim.ends("hostile.invalid_arguments", json!([10_000]), "INVALID", "");
    assert_eq!(request["error"]["code"], "invalid-arguments");
    assert!(message(&request).len() < 20_000, "{} bytes", message(&request).len());
}

#[test]
fn a_guest_that_does_not_know_the_task_which_it_described_makes_the_request_invalid() {
    let request = Victim::with_defaults().ends("hostile.unknown", json!([]), "INVALID", "hostile.unknown");
    assert_eq!(request["error"]["code"], "unknown-task");
}

#[test]
fn retries_without_a_wait_end_at_the_bound_on_them() {
    let text = "again (given up after 3 retries, the bound retries allows no more)";
    let request = Victim::with_defaults().ends("hostile.retry_for_ever", json!([]), "FAILURE", text);
    assert_eq!(request["number_of_starts"], json!(4));
}

#[test]
fn a_guest_that_pauses_for_ever_holds_nobody_up_and_ends_when_it_is_revoked() {
    let victim = Victim::with_defaults();
    let api = victim.hostile();
    let id = api.submit("hostile.pause_for_ever", json!([]), json!({}));
    api.until(&id, "paused five times", |request| request["metadata"]["rounds"].as_u64() >= Some(5));
    victim.still_serves("five pauses");
    api.post(&format!("/v1/requests/{id}/revoke"), &json!({})).ok();
    assert_eq!(api.wait(&id)["state"], "REVOKED");
    victim.still_serves("a pause that was revoked");
}

#[test]
fn a_guest_that_goes_over_a_bound_and_returns_at_once_is_no_success() {
    // The calls of WASI cannot be refused one by one: what they come to is looked at when the guest returns.
    let body = "(loop $again (drop (call $now)) (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100001))))
        (call $ok (i32.const 65) (i32.const 2))";
    let guest = Guest { world: "with-wasi", imports: mogbox_fixtures::guest::WASI, ..Guest::running(body) };
    Victim::with_defaults().guest_ends("just-over", &guest, "FAILURE", "over the bound host-calls of 100000");
}
