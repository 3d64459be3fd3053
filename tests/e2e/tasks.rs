//! What tasks can do: arguments, progress, checkpoints, children, and how requests end.

use serde_json::json;

use crate::support::{Node, guests, shared_node};

#[test]
fn arguments_come_by_position_or_by_name() {
    let api = shared_node().api("default");
    assert_eq!(api.run("example.add", json!([1, 2]))["value"], json!(3.0));
    let named = api.submit_request(&json!({ "name": "example.add", "kwargs": { "n1": 1.5, "n2": -1 } }));
    assert_eq!(api.wait(&named)["value"], json!(0.5));
}

#[test]
fn arguments_that_do_not_fit_are_named_each_with_the_reason() {
    let api = shared_node().api("default");
    let request = api.submit_request(&json!({ "name": "example.add", "args": ["one"], "kwargs": { "n3": 1 } }));
    let request = api.wait(&request);
    assert_eq!(request["state"], "INVALID");
    let message = request["error"]["message"].as_str().unwrap();
    assert!(["n1", "n2", "n3"].iter().all(|name| message.contains(name)), "{message}");
    assert_eq!((&request["number_of_starts"], &request["number_of_stops"]), (&json!(1), &json!(1)));
}

#[test]
fn a_task_that_nobody_serves_is_refused_or_ends_as_invalid() {
    let api = shared_node().api("default");
    let refused = api.post("/v1/requests", &json!({ "name": "example.ad" }));
    assert!(refused.problem(422, "unknown-task").contains("example.add"), "{refused:?}");
    let id = api.submit_request(&json!({ "name": "example.ad", "allow_unknown": true }));
    let request = api.wait(&id);
    assert_eq!((&request["state"], &request["number_of_starts"]), (&json!("INVALID"), &json!(0)));
}

#[test]
fn a_checkpointed_task_pauses_and_goes_on_with_its_state() {
    let request = shared_node().api("default").run("example.checkpoints", json!([3, 50]));
    assert_eq!(request["state"], "SUCCESS", "{request}");
    assert_eq!((&request["number_of_starts"], &request["number_of_stops"]), (&json!(3), &json!(3)), "{request}");
}

#[test]
fn a_parent_waits_for_its_children_and_is_suspended_meanwhile() {
    let request = shared_node().api("default").run("example.family", json!([4]));
    assert_eq!(request["state"], "SUCCESS", "{request}");
    assert_eq!(request["children"].as_array().unwrap().len(), 4);
    let child = request["children"][0].as_str().unwrap();
    assert_eq!(shared_node().api("default").request(child)["parent_id"], request["id"]);
}

#[test]
fn deadlines_end_requests_before_and_during_their_run() {
    let api = shared_node().api("default");
    let past = api.submit_request(&json!({ "name": "example.add", "args": [1, 2], "deadline": "2020-01-01T00:00:00Z" }));
    let request = api.wait(&past);
    assert_eq!((&request["state"], &request["number_of_starts"]), (&json!("REVOKED"), &json!(0)));
    let short = api.submit_request(&json!({ "name": "example.progress", "args": [1000, 50], "deadline": "PT0.3S" }));
    let request = api.wait(&short);
    assert_eq!((&request["state"], &request["number_of_starts"]), (&json!("REVOKED"), &json!(1)));
    assert_eq!(request["error"]["code"], "deadline-passed");
}

#[test]
fn a_revoked_request_stops_and_takes_its_children_with_it() {
    let node = Node::embedded(&["--concurrency", "1"]);
    let api = node.api("default");
    api.push(guests::GUEST_HOSTILE);
    let parent = api.submit("hostile.wait_for_ever", json!([]), json!({}));
    let waiting = api.until(&parent, "a parent", |request| request["children"].as_array().is_some_and(|children| !children.is_empty()));
    let child = waiting["children"][0].as_str().unwrap();
    api.until(child, "running", |request| request["state"] == "RUNNING");
    let revoked = api.post(&format!("/v1/requests/{parent}/revoke"), &json!({})).ok();
    assert_eq!((&revoked["revoked"], &revoked["complete"]), (&json!(2), &json!(true)), "{revoked}");
    for id in [parent.as_str(), child] {
        assert_eq!(api.wait(id)["state"], "REVOKED");
    }
    // The child's guest is gone as well: it slept for an hour in the only place of this node.
    assert_eq!(api.run("hostile.sleep", json!([0]))["state"], "SUCCESS");
}

#[test]
fn revoking_what_is_done_changes_nothing() {
    let api = shared_node().api("default");
    let done = api.run("example.add", json!([1, 2]));
    let path = format!("/v1/requests/{}/revoke", done["id"].as_str().unwrap());
    assert_eq!(api.post(&path, &json!({})).ok()["state"], "SUCCESS");
}

#[test]
fn submitting_an_id_twice_runs_it_once() {
    let api = shared_node().api("default");
    let request = json!({ "id": "6f6cf3f0-67b5-4f0c-8d0c-5c1f2b1d9a11", "name": "example.add", "args": [2, 3] });
    assert_eq!(api.submit_request(&request), api.submit_request(&request));
    let done = api.wait("6f6cf3f0-67b5-4f0c-8d0c-5c1f2b1d9a11");
    assert_eq!((&done["value"], &done["number_of_starts"]), (&json!(5.0), &json!(1)));
    api.submit_request(&request);
    assert_eq!(api.wait("6f6cf3f0-67b5-4f0c-8d0c-5c1f2b1d9a11")["number_of_starts"], json!(1));
}

#[test]
fn every_result_carries_its_receipt() {
    let request = shared_node().api("default").run("example.add", json!([1, 2]));
    let receipt = &request["report"]["receipt"];
    for field in ["cpu_us", "run_us", "peak_memory", "queued_us"] {
        assert!(receipt[field].as_u64().is_some(), "{field}: {receipt}");
    }
    assert!(receipt["peak_memory"].as_u64() > Some(0), "{receipt}");
    assert!(receipt["engine"].as_str().unwrap().starts_with("wasmtime 48."), "{receipt}");
    assert_eq!(receipt["node_id"], request["node_id"]);
}
