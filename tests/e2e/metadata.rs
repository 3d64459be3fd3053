//! The heart of it: metadata given at submission, read and changed by the running task, read and written from outside.

use serde_json::json;

use crate::support::shared_node;

#[test]
fn metadata_given_at_submission_is_read_by_the_running_task() {
    let api = shared_node().api("default");
    let request = api.wait(&api.submit("demo.get_metadata", json!([]), json!({ "user_id": "dol" })));
    assert_eq!(request["state"], "SUCCESS");
    assert_eq!(request["value"], "This task was launched by @dol");
}

#[test]
fn a_task_changes_its_metadata_and_the_request_stays_as_it_was() {
    let api = shared_node().api("default");
    let metadata = json!({ "user_id": "dol", "tenant": 7, "tracking": { "ids": [1, null, true] } });
    let request = api.wait(&api.submit("demo.set_metadata", json!(["dkl"]), metadata));
    assert_eq!(request["state"], "SUCCESS", "{request}");
    assert_eq!(request["metadata"], json!({ "tenant": 7, "tracking": { "ids": [1, null, true] }, "user_id": "dkl" }));
    // The task itself fails where its request changed with the metadata.
    assert_eq!(request["value"], "This task is now by @dkl");
}

#[test]
fn metadata_is_read_and_written_from_outside_while_the_task_runs() {
    let api = shared_node().api("default");
    let id = api.submit("example.progress", json!([600, 50]), json!({ "user_id": "dol" }));
    let moving = api.until(&id, "moving", |request| request["metadata"]["progress"]["done"].as_u64() >= Some(1));
    assert_eq!(moving["state"], "RUNNING");
    assert_eq!(moving["metadata"]["user_id"], "dol");
    api.patch(&format!("/v1/requests/{id}/metadata"), &json!({ "reviewed_by": "ops", "user_id": "dkl" })).ok();
    let later = moving["metadata"]["progress"]["done"].as_u64();
    let written = api.until(&id, "moving on", |request| request["metadata"]["progress"]["done"].as_u64() > later);
    assert_eq!((&written["metadata"]["reviewed_by"], &written["metadata"]["user_id"]), (&json!("ops"), &json!("dkl")));
    api.post(&format!("/v1/requests/{id}/revoke"), &json!({})).ok();
    assert_eq!(api.wait(&id)["state"], "REVOKED");
}

#[test]
fn metadata_can_be_written_before_the_task_starts_and_after_it_is_done() {
    let api = shared_node().api("default");
    let delayed = json!({ "name": "demo.get_metadata", "metadata": { "user_id": "nobody" }, "delay_ms": 300 });
    let id = api.submit_request(&delayed);
    api.patch(&format!("/v1/requests/{id}/metadata"), &json!({ "user_id": "dol" })).ok();
    assert_eq!(api.wait(&id)["value"], "This task was launched by @dol");
    api.patch(&format!("/v1/requests/{id}/metadata"), &json!({ "archived": true })).ok();
    assert_eq!(api.request(&id)["metadata"], json!({ "archived": true, "user_id": "dol" }));
}

#[test]
fn too_much_metadata_is_refused_with_the_bound_named_and_nothing_is_stored() {
    let api = shared_node().api("default");
    let id = api.submit("demo.get_metadata", json!([]), json!({ "user_id": "dol" }));
    api.wait(&id);
    let path = format!("/v1/requests/{id}/metadata");
    let keys: serde_json::Map<_, _> = (0..200).map(|n| (format!("key{n}"), json!(n))).collect();
    let refused = api.patch(&path, &json!(keys));
    assert!(refused.problem(413, "over-bound").contains("over the bound metadata-keys of 128"), "{refused:?}");
    let refused = api.patch(&path, &json!({ "long": "x".repeat(300_000) }));
    assert!(refused.problem(413, "over-bound").contains("over the bound metadata of 256KiB"), "{refused:?}");
    let refused = api.post("/v1/requests", &json!({ "name": "demo.get_metadata", "metadata": keys }));
    assert!(refused.problem(413, "over-bound").contains("metadata-keys"), "{refused:?}");
    assert_eq!(api.request(&id)["metadata"], json!({ "user_id": "dol" }));
}

#[test]
fn another_tenant_sees_nothing_of_it() {
    let id = shared_node().api("default").submit("demo.get_metadata", json!([]), json!({ "user_id": "dol" }));
    let stranger = shared_node().api("stranger");
    for path in [format!("/v1/requests/{id}"), format!("/v1/requests/{id}/metadata"), format!("/v1/requests/{id}/wait?seconds=1")] {
        stranger.get(&path).problem(404, "request-not-found");
    }
    stranger.patch(&format!("/v1/requests/{id}/metadata"), &json!({ "user_id": "eve" })).problem(404, "request-not-found");
}
