//! Guests that reach for what is others': requests of other tenants, and words that only operators may say of a request.

use serde_json::json;

use super::victim::{Victim, message};

#[test]
fn a_guest_learns_nothing_of_another_tenants_request() {
    let victim = Victim::with_defaults();
    let done = victim.tenant("honest").submit("example.add", json!([20, 22]), json!({ "user_id": "dol" }));
    victim.tenant("honest").wait(&done);
    let absent = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2".to_owned();
    let told = [&done, &absent].map(|id| {
        let request = victim.ends("hostile.wait_for", json!([id]), "FAILURE", "is no child of request");
        assert!(!request.to_string().contains("dol"), "{request}");
        message(&request).replace(id, "ID").replace(request["id"].as_str().unwrap(), "OWN")
    });
    assert_eq!(told[0], told[1], "whether there is one is nobody's business");
}

#[test]
fn a_guest_cannot_wait_for_a_request_of_its_own_tenant_that_is_no_child_of_its_own() {
    let victim = Victim::with_defaults();
    let other = victim.hostile().submit("hostile.sleep", json!([0]), json!({}));
    victim.ends("hostile.wait_for", json!([other]), "FAILURE", "is no child of request");
    for id in ["", "*", "../1", "mognet.result.1", &"9".repeat(10_000), "\u{0}"] {
        victim.ends("hostile.wait_for", json!([id]), "FAILURE", "");
    }
}

#[test]
fn another_tenants_ids_are_not_found_by_any_call() {
    let victim = Victim::with_defaults();
    let id = victim.tenant("honest").submit("example.add", json!([1, 2]), json!({ "user_id": "dol" }));
    victim.tenant("honest").wait(&id);
    let stranger = victim.hostile();
    let path = format!("/v1/requests/{id}");
    for call in ["", "/tree", "/metadata", "/metadata/user_id", "/wait?seconds=1"] {
        stranger.get(&format!("{path}{call}")).problem(404, "request-not-found");
    }
    stranger.post(&format!("{path}/revoke"), &json!({})).problem(404, "request-not-found");
    stranger.patch(&format!("{path}/metadata"), &json!({ "user_id": "eve" })).problem(404, "request-not-found");
    assert_eq!(victim.tenant("honest").request(&id)["metadata"], json!({ "user_id": "dol" }));
    let honest = victim.tenant("honest").get("/v1/modules").ok();
    let module = honest["modules"][0]["name"].as_str().unwrap().to_owned();
    stranger.get(&format!("/v1/modules/{module}")).problem(404, "module-not-found");
    stranger.post(&format!("/v1/modules/{module}/roll-back"), &json!({})).problem(404, "module-not-found");
    victim.still_serves("ids of others");
}

/// Whom a request is for is what its submitter says: no guest says otherwise, of itself or of a child.
#[test]
fn protected_metadata_is_written_by_guests_of_trusted_tenants_alone() {
    let victim = Victim::start(&["--protect", "user_id"]);
    let api = victim.hostile();
    let run = |task: &str, args: serde_json::Value| api.wait(&api.submit(task, args, json!({ "user_id": "dol" })));
    let denied = |request: serde_json::Value| {
        assert!(request["state"] == "FAILURE" && message(&request).contains("metadata key \"user_id\" is protected"), "{request}");
        assert_eq!((&request["metadata"], request["children"].as_array().map_or(0, Vec::len)), (&json!({ "user_id": "dol" }), 0));
    };
    denied(run("hostile.set_metadata", json!(["user_id", "root"])));
    denied(run("hostile.set_metadata", json!(["user_id", null])));
    denied(run("hostile.child_with_metadata", json!(["user_id", "root"])));
    for other_key in ["user_id ", "USER_ID", "user\u{200b}_id"] {
        assert_eq!(run("hostile.set_metadata", json!([other_key, "root"]))["metadata"]["user_id"], "dol");
    }
    let child = run("hostile.child_with_metadata", json!(["user_id", "dol"]));
    assert_eq!(child["state"], "SUCCESS", "a child may be told whom its parent is for: {child}");
    victim.still_serves("forged metadata");

    api.post("/v1/tenants", &json!({ "name": "hostile" })).ok();
    api.patch("/v1/tenants/hostile", &json!({ "trusted": true })).ok();
    assert_eq!(run("hostile.set_metadata", json!(["user_id", "root"]))["metadata"], json!({ "user_id": "root" }));
    let child = run("hostile.child_with_metadata", json!(["user_id", "root"]));
    let child = api.request(child["value"].as_str().unwrap());
    assert_eq!(child["metadata"], json!({ "user_id": "root" }), "{child}");
}
