//! Guests that misbehave. Each ends with a text that says why, and the same node runs the next request.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Api, Node, guests};

/// A node with tight bounds, the hostile guests, and an honest one beside them.
fn node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(|| {
        let bounds = ["wall-time=8s", "cpu-time=500ms", "host-calls=2000", "children=20", "log-lines=100"];
        let bounds = bounds.iter().flat_map(|bound| ["--limit", bound]);
        let node = Node::embedded(&["--concurrency", "8"].into_iter().chain(bounds).collect::<Vec<_>>());
        let api = node.api("default");
        api.push(guests::GUEST_HOSTILE);
        api.push(guests::EXAMPLE_ADD);
        node
    })
}

/// Runs a hostile task, checks how it ended, then runs an honest one on the same node.
#[track_caller]
fn ends(task: &str, args: Value, state: &str, text: &str) -> Value {
    let api = node().api("default");
    let request = api.run(task, args);
    assert_eq!(request["state"], state, "{request}");
    let message = request["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(text), "{message:?} does not say {text:?}");
    still_serves(&api);
    request
}

#[track_caller]
fn still_serves(api: &Api) {
    assert_eq!(api.run("example.add", json!([1, 2]))["value"], json!(3.0));
}

#[test]
fn a_trap_is_a_failure() {
    ends("hostile.trap", json!([]), "FAILURE", "unreachable");
}

#[test]
fn a_panic_is_a_failure_that_says_what_it_panicked_with() {
    let request = ends("hostile.panic", json!(["no such luck"]), "FAILURE", "no such luck");
    let log = request["report"]["log"].to_string();
    assert!(log.contains("panicked"), "{log}");
}

#[test]
fn an_endless_loop_ends_at_the_bound_on_cpu_time() {
    ends("hostile.loop_for_ever", json!([]), "FAILURE", "over the bound cpu-time of 500ms");
}

#[test]
fn a_guest_that_sleeps_too_long_ends_at_the_bound_on_wall_time() {
    ends("hostile.sleep", json!([60_000]), "FAILURE", "over the bound wall-time of 8s");
}

#[test]
fn an_endless_loop_with_a_deadline_is_revoked() {
    let api = node().api("default");
    let id = api.submit_request(&json!({ "name": "hostile.loop_for_ever", "deadline": "PT0.2S" }));
    let request = api.wait(&id);
    assert_eq!((&request["state"], &request["error"]["code"]), (&json!("REVOKED"), &json!("deadline-passed")));
    still_serves(&api);
}

#[test]
fn four_gibibytes_are_refused_with_the_bound_named() {
    ends("hostile.allocate", json!([4_294_967_296_u64]), "FAILURE", "over the bound memory of 64MiB");
}

#[test]
fn memory_that_is_refused_can_be_borne_by_a_guest() {
    ends("hostile.grow", json!([65_535]), "FAILURE", "no 65535 pages");
    ends("hostile.grow", json!([16]), "SUCCESS", "");
}

#[test]
fn endless_recursion_overflows_the_guests_own_stack() {
    // Its frames lie in its own memory, below which there is nothing.
    ends("hostile.recurse", json!([]), "FAILURE", "out of bounds memory access");
}

#[test]
fn a_flood_of_log_lines_is_kept_to_its_bound_and_counted() {
    let request = ends("hostile.log_flood", json!([1_500]), "SUCCESS", "");
    let report = &request["report"];
    assert!(report["log"].as_array().unwrap().len() <= 100);
    assert!(report["dropped_lines"].as_u64() >= Some(1_400), "{}", report["dropped_lines"]);
}

#[test]
fn a_flood_of_calls_ends_at_the_bound_on_host_calls() {
    ends("hostile.metadata_calls", json!([1_000_000]), "FAILURE", "over the bound host-calls of 2000");
}

#[test]
fn a_huge_result_is_refused_with_the_bound_named() {
    ends("hostile.big_result", json!([10_000_000]), "FAILURE", "over the bound result of 4MiB");
}

#[test]
fn a_result_that_is_no_json_or_nested_too_deep_is_a_failure() {
    ends("hostile.invalid_json", json!([]), "FAILURE", "not valid JSON");
    ends("hostile.deep_json", json!([100]), "FAILURE", "nested deeper than 64");
}

#[test]
fn metadata_and_state_over_their_bounds_are_refused_and_the_guest_is_told() {
    let request = ends("hostile.set_metadata_over_bound", json!([10, 100_000]), "FAILURE", "over the bound metadata");
    assert_eq!(request["metadata"], json!({}));
    ends("hostile.state_over_bound", json!([10, 1_000_000]), "FAILURE", "over the bound state");
}

#[test]
fn children_are_bounded() {
    let request = ends("hostile.children", json!([100]), "FAILURE", "over the bound children of 20");
    assert!(request["children"].as_array().unwrap().len() <= 20);
}

#[test]
fn a_guest_that_waits_for_itself_is_told_that_it_is_no_child_of_its_own() {
    ends("hostile.wait_for_itself", json!([]), "FAILURE", "is no child of request");
}

#[test]
fn a_guest_that_waits_for_ever_ends_at_the_bound_on_wall_time() {
    ends("hostile.wait_for_ever", json!([]), "FAILURE", "over the bound wall-time of 8s");
}

#[test]
fn a_revoked_guest_is_stopped_even_where_it_spins() {
    let api = node().api("default");
    let id = api.submit("hostile.loop_for_ever", json!([]), json!({}));
    api.until(&id, "running", |request| request["state"] == "RUNNING");
    api.post(&format!("/v1/requests/{id}/revoke"), &json!({})).ok();
    assert_eq!(api.wait(&id)["state"], "REVOKED");
    still_serves(&api);
}
