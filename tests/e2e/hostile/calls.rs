//! Calls of the host: too many, too large, or malformed.

use mogbox_fixtures::guest::{CONTEXT, Guest, LOG, STATE};
use serde_json::json;

use super::victim::Victim;

const TOO_MANY: &str = "over the bound host-calls of 100000; a node started with --limit host-calls=VALUE raises it, up to 100000000";

#[test]
fn a_million_log_lines_end_at_the_bound_on_host_calls() {
    let request = Victim::with_defaults().ends("hostile.log_flood", json!([1_000_000, 10]), "FAILURE", TOO_MANY);
    assert_eq!(request["report"]["log"].as_array().unwrap().len(), 1_000);
    assert_eq!(request["report"]["dropped_lines"], json!(99_000));
}

#[test]
fn log_lines_within_the_bound_on_host_calls_are_kept_to_their_own_bounds_and_counted() {
    let request = Victim::raised().ends("hostile.log_flood", json!([200_000, 1]), "SUCCESS", "");
    assert_eq!(request["report"]["log"].as_array().unwrap().len(), 1_000);
    assert_eq!(request["report"]["dropped_lines"], json!(199_000));
}

#[test]
fn log_lines_of_megabytes_are_cut_to_their_bound() {
    let request = Victim::with_defaults().ends("hostile.log_flood", json!([20, 3 << 20]), "SUCCESS", "");
    let kept: usize = request["report"]["log"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    assert!(kept <= 256 << 10, "{kept} bytes");
}

#[test]
fn log_lines_of_many_megabytes_end_at_the_bound_on_host_bytes() {
    let text = "over the bound host-bytes of 64MiB; a node started with --limit host-bytes=VALUE raises it, up to 16GiB";
    Victim::with_defaults().ends("hostile.log_flood", json!([1_000, 1 << 20]), "FAILURE", text);
}

#[test]
fn a_million_metadata_calls_with_empty_lists_end_at_the_bound_on_host_calls() {
    Victim::with_defaults().ends("hostile.metadata_calls", json!([1_000_000]), "FAILURE", TOO_MANY);
}

/// A guest that makes room for so many pages and then calls, with a million entries that are all zeros at 65536.
fn with_a_million_entries<'a>(imports: &'a str, body: &'a str) -> Guest<'a> {
    Guest { pages: 300, imports, ..Guest::running(body) }
}

#[test]
fn one_call_with_a_million_entries_ends_the_attempt_before_it_is_copied() {
    let text = "one call brings more than 5505024 bytes to the host, which is more than any of the bounds allows";
    let metadata = "(call $set_metadata (i32.const 65536) (i32.const 1000000) (i32.const 256)) (i32.const 0)";
    Victim::with_defaults().guest_ends("entries", &with_a_million_entries(CONTEXT, metadata), "FAILURE", text);
    let log = "(call $log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 1000000)) (i32.const 0)";
    Victim::with_defaults().guest_ends("fields", &with_a_million_entries(LOG, log), "FAILURE", text);
}

#[test]
fn one_call_with_a_million_entries_that_may_be_copied_is_answered_with_an_error() {
    // The answer is `invalid`, the fifth case of `error`: an empty key is none.
    let body = "(call $set_metadata (i32.const 65536) (i32.const 1000000) (i32.const 256))
        (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 4)) (then unreachable))
        (call $ok (i32.const 65) (i32.const 2))";
    Victim::raised().guest_ends("entries", &with_a_million_entries(CONTEXT, body), "SUCCESS", "");
}

#[test]
fn metadata_over_its_bounds_is_refused_and_the_guest_is_told() {
    let victim = Victim::with_defaults();
    let text = "over the bound metadata of 256KiB; a node started with --limit metadata=VALUE raises it, up to 16MiB";
    let request = victim.ends("hostile.set_metadata_over_bound", json!([10, 100_000]), "FAILURE", text);
    assert_eq!(request["metadata"], json!({}));
    victim.ends("hostile.set_metadata_over_bound", json!([1, 5_000_000]), "FAILURE", text);
    let text = "over the bound metadata-keys of 128; a node started with --limit metadata-keys=VALUE raises it, up to 10000";
    victim.ends("hostile.set_metadata_over_bound", json!([129, 1]), "FAILURE", text);
    let request = victim.ends("hostile.set_metadata_over_bound", json!([128, 1]), "SUCCESS", "");
    assert_eq!(request["metadata"].as_object().unwrap().len(), 128);
}

#[test]
fn metadata_over_its_bounds_in_several_calls_is_refused_too() {
    let victim = Victim::with_defaults();
    let request = victim.ends("hostile.set_metadata_bit_by_bit", json!([200, 1]), "FAILURE", "over the bound metadata-keys of 128");
    assert_eq!(request["metadata"].as_object().unwrap().len(), 128);
    let request = victim.ends("hostile.set_metadata_bit_by_bit", json!([100, 10_000]), "FAILURE", "over the bound metadata of 256KiB");
    assert!(request["metadata"].to_string().len() <= (256 << 10) + 1_000);
}

#[test]
fn keys_that_are_too_long_or_unprintable_are_refused() {
    let refused = |key: &str, text: &str| {
        Victim::with_defaults().ends("hostile.set_metadata", json!([key, 1]), "FAILURE", text);
        Victim::with_defaults().ends("hostile.set_state", json!([key, 1]), "FAILURE", text);
    };
    for key in ["k".repeat(257), "k".repeat(200_000), "ü".repeat(129), "a\u{0}b".to_owned(), "\u{1b}[2J".to_owned()] {
        refused(&key, "expected at most 256 bytes without control characters");
    }
    for key in ["ü".repeat(128), String::new()] {
        Victim::with_defaults().ends("hostile.set_metadata", json!([key, 1]), "SUCCESS", "");
    }
}

#[test]
fn state_over_its_bounds_is_refused_and_the_guest_is_told() {
    let victim = Victim::with_defaults();
    let text = "over the bound state of 4MiB; a node started with --limit state=VALUE raises it, up to 64MiB";
    victim.ends("hostile.state_over_bound", json!([10, 1_000_000]), "FAILURE", text);
    victim.ends("hostile.state_over_bound", json!([1, 5_000_000]), "FAILURE", text);
    let text = "over the bound state-keys of 128; a node started with --limit state-keys=VALUE raises it, up to 10000";
    victim.ends("hostile.state_over_bound", json!([129, 1]), "FAILURE", text);
    victim.ends("hostile.state_over_bound", json!([128, 1]), "SUCCESS", "");
}

#[test]
fn json_that_is_nested_too_deep_is_refused_wherever_it_goes() {
    let victim = Victim::with_defaults();
    for into_state in [false, true] {
        victim.ends("hostile.store_deep_json", json!([100, into_state]), "FAILURE", "nested deeper than 64");
        victim.ends("hostile.store_deep_json", json!([64, into_state]), "SUCCESS", "");
    }
    victim.ends("hostile.child_with_deep_argument", json!([100]), "FAILURE", "nested deeper than 64");
}

/// A megabyte of opening brackets, given as metadata and as state: what checks it must not recurse.
#[test]
fn a_megabyte_of_opening_brackets_is_refused() {
    let fill = "(memory.fill (i32.const 65536) (i32.const 91) (i32.const 200000))
        (i32.store (i32.const 1024) (i32.const 64)) (i32.store (i32.const 1028) (i32.const 1))
        (i32.store (i32.const 1032) (i32.const 65536)) (i32.store (i32.const 1036) (i32.const 200000))";
    let refused = "(if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable)) (call $ok (i32.const 65) (i32.const 2))";
    let metadata = format!("{fill} (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256)) {refused}");
    Victim::with_defaults().guest_ends("brackets", &Guest { pages: 30, imports: CONTEXT, ..Guest::running(&metadata) }, "SUCCESS", "");
    let state =
        format!("{fill} (call $set_state (i32.const 64) (i32.const 1) (i32.const 65536) (i32.const 200000) (i32.const 256)) {refused}");
    Victim::with_defaults().guest_ends("brackets", &Guest { pages: 30, imports: STATE, ..Guest::running(&state) }, "SUCCESS", "");
}

#[test]
fn text_that_is_no_utf8_ends_the_attempt_wherever_it_goes() {
    let items = r#"(data (i32.const 1000) "\ff\fe\c0\80")"#;
    let calls = [
        (CONTEXT, "(call $get_metadata (i32.const 1000) (i32.const 4) (i32.const 256))"),
        (STATE, "(call $set_state (i32.const 1000) (i32.const 4) (i32.const 65) (i32.const 2) (i32.const 256))"),
        (STATE, "(call $set_state (i32.const 64) (i32.const 1) (i32.const 1000) (i32.const 4) (i32.const 256))"),
        (LOG, "(call $log (i32.const 0) (i32.const 1000) (i32.const 4) (i32.const 0) (i32.const 0))"),
    ];
    for (imports, call) in calls {
        let body = format!("{call} (i32.const 0)");
        Victim::with_defaults().guest_ends("no-utf8-call", &Guest { imports, items, ..Guest::running(&body) }, "FAILURE", "invalid utf-8");
    }
}
