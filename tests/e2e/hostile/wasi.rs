//! WASI: floods of output, of random bytes, of clocks, timers and handles, and reaching for what is not granted.

use mogbox_fixtures::guest::{Guest, WASI};
use serde_json::{Value, json};

use super::victim::Victim;

const TOO_MANY: &str = "over the bound host-calls of 100000";

/// The body of an endless loop.
fn for_ever(body: &str) -> String {
    format!("(loop $again {body} (br $again)) unreachable")
}

fn ends(name: &str, body: &str, state: &str, text: &str) -> Value {
    ends_on(Victim::with_defaults(), name, body, state, text)
}

fn ends_on(victim: &Victim, name: &str, body: &str, state: &str, text: &str) -> Value {
    victim.guest_ends(name, &Guest { world: "with-wasi", pages: 40, imports: WASI, ..Guest::running(body) }, state, text)
}

#[test]
fn a_flood_of_printed_lines_ends_at_the_bound_on_host_calls() {
    let request = Victim::with_defaults().ends("hostile.print_flood", json!([1_000_000]), "FAILURE", TOO_MANY);
    assert_eq!(request["report"]["log"].as_array().unwrap().len(), 1_000);
    assert!(request["report"]["dropped_lines"].as_u64() >= Some(10_000), "{}", request["report"]["dropped_lines"]);
}

#[test]
fn a_million_writes_of_nothing_end_at_the_bound_on_host_calls() {
    let body =
        format!("(local.set $j (call $stdout)) {}", for_ever("(call $write (local.get $j) (i32.const 0) (i32.const 0) (i32.const 256))"));
    ends("empty-writes", &body, "FAILURE", TOO_MANY);
}

#[test]
fn one_write_of_megabytes_ends_the_attempt() {
    let body = "(call $write (call $stdout) (i32.const 0) (i32.const 2000000) (i32.const 256)) (call $ok (i32.const 65) (i32.const 2))";
    ends("giant-write", body, "FAILURE", "Buffer too large");
}

#[test]
fn output_without_end_ends_at_the_bound_on_host_bytes() {
    let body = format!(
        "(local.set $j (call $stderr)) {}",
        for_ever("(call $write (local.get $j) (i32.const 0) (i32.const 4096) (i32.const 256))")
    );
    let request = ends("output", &body, "FAILURE", "over the bound host-bytes of 64MiB");
    let kept: usize = request["report"]["log"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    assert!(kept <= 3 * (256 << 10), "{kept} bytes");
}

#[test]
fn random_bytes_of_huge_length_end_the_attempt() {
    let body = "(call $random (i64.const -1) (i32.const 256)) (i32.const 0)";
    ends("random", body, "FAILURE", "requested len 18446744073709551615 exceeds limit 262144");
    let endless = for_ever("(call $random (i64.const 262144) (i32.const 256))");
    ends("random-pieces", &endless, "FAILURE", "over the bound memory of 64MiB");
}

#[test]
fn clocks_that_are_read_a_million_times_end_the_attempt_at_the_bound_on_host_calls() {
    ends("clock", &for_ever("(drop (call $now))"), "FAILURE", TOO_MANY);
}

#[test]
fn handles_that_are_never_dropped_do_not_pile_up() {
    ends("timers", &for_ever("(drop (call $subscribe (i64.const 1000000000000)))"), "FAILURE", "resource table has no free keys");
    ends("streams", &for_ever("(drop (call $stdout))"), "FAILURE", "resource table has no free keys");
}

#[test]
fn a_poll_of_thousands_is_bounded() {
    let fill = "(local.set $j (call $subscribe (i64.const 1)))
        (loop $again (i32.store (i32.add (i32.const 65536) (i32.shl (local.get $i) (i32.const 2))) (local.get $j))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 500000))))";
    let poll = |entries: u32| {
        format!("{fill} (call $poll (i32.const 65536) (i32.const {entries}) (i32.const 256)) (call $ok (i32.const 65) (i32.const 2))")
    };
    ends("poll", &poll(5_000), "SUCCESS", "");
    ends("poll-many", &poll(500_000), "FAILURE", "");
    ends("poll-nothing", "(call $poll (i32.const 0) (i32.const 0) (i32.const 256)) (i32.const 0)", "FAILURE", "empty poll list");
}

#[test]
fn timers_that_are_due_at_once_end_at_the_bound_on_host_calls() {
    let body = for_ever("(local.set $j (call $subscribe (i64.const 0))) (call $block (local.get $j)) (call $drop_pollable (local.get $j))");
    ends("due", &body, "FAILURE", TOO_MANY);
}

#[test]
fn a_guest_that_sleeps_too_long_ends_at_the_bound_on_wall_time_or_at_its_deadline() {
    Victim::short_of_wall_time().ends("hostile.sleep", json!([3_600_000]), "FAILURE", "over the bound wall-time of 4s");
    let victim = Victim::with_defaults();
    let id = victim.hostile().submit_request(&json!({ "name": "hostile.sleep", "args": [3_600_000], "deadline": "PT0.2S" }));
    let request = victim.hostile().wait(&id);
    assert_eq!((&request["state"], &request["error"]["code"]), (&json!("REVOKED"), &json!("deadline-passed")));
    victim.still_serves("a sleep with a deadline");
    ends_on(
        Victim::short_of_wall_time(),
        "ages",
        "(call $block (call $subscribe (i64.const -1))) unreachable",
        "FAILURE",
        "over the bound wall-time of 4s",
    );
}

#[test]
fn an_exit_is_a_crash() {
    ends("exit", "(call $exit (i32.const 0)) unreachable", "FAILURE", "Exited with i32 exit status 0");
}

#[test]
fn files_names_networks_and_environment_are_out_of_reach() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let request = Victim::with_defaults().ends("hostile.reach_out", json!([address]), "SUCCESS", "");
    let reached: Vec<&str> = request["value"].as_array().unwrap().iter().map(|found| found.as_str().unwrap()).collect();
    assert!(reached.is_empty(), "{reached:?}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody connected");
}
