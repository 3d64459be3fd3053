//! What an operator changes about a tenant while its requests wait and run, and what tenants are told that they used.

use serde_json::{Value, json};

use super::pair::{Closed, until};
use crate::support::{Api, guests};

/// Puts in a request that holds until it is let go, and waits until it runs.
fn hold(api: &Api) -> String {
    let id = api.submit("twin.hold", json!([]), json!({}));
    api.until(&id, "running", |request| request["state"] == "RUNNING");
    id
}

fn let_go(api: &Api, id: &str) {
    api.patch(&format!("/v1/requests/{id}/metadata"), &json!({ "go": true })).ok();
    assert_eq!(api.wait(id)["state"], "SUCCESS");
}

fn ready(api: &Api) -> Value {
    api.get("/v1/queues").ok()["queues"][0]["ready"].clone()
}

#[test]
fn what_a_suspended_tenant_has_queued_stays_and_runs_once_it_is_resumed() {
    let closed = Closed::start(&[]);
    let (acme, other) = (closed.tenant("acme", json!({ "limits": { "in-flight": "1" } })), closed.tenant("other", json!({})));
    for api in [&acme, &other] {
        api.push(guests::GUEST_TWIN);
    }
    let holding = hold(&acme);
    let queued: Vec<String> = (0..3).map(|n| acme.submit("twin.echo", json!([n]), json!({}))).collect();
    closed.operator.patch("/v1/tenants/acme", &json!({ "suspended": true })).ok();
    acme.post("/v1/requests", &json!({ "name": "twin.echo", "args": [0] })).problem(403, "tenant-suspended");
    // What runs goes on to its end; then there is room for the others, and no leave.
    let_go(&acme, &holding);
    for _ in 0..3 {
        assert_eq!(other.run("twin.echo", json!([1]))["state"], "SUCCESS");
    }
    assert_eq!(ready(&acme), 3);
    assert!(queued.iter().all(|id| acme.request(id)["state"] == "PENDING"));
    closed.operator.patch("/v1/tenants/acme", &json!({ "suspended": false })).ok();
    for (n, id) in queued.iter().enumerate() {
        assert_eq!(acme.wait(id)["value"], n);
    }
}

#[test]
fn a_cap_that_is_raised_lets_what_waits_run_at_once() {
    let closed = Closed::start(&[]);
    let acme = closed.tenant("acme", json!({ "limits": { "in-flight": "1" } }));
    acme.push(guests::GUEST_TWIN);
    let first = hold(&acme);
    let second = acme.submit("twin.hold", json!([]), json!({}));
    assert_eq!((ready(&acme), &acme.request(&second)["state"]), (json!(1), &json!("PENDING")));
    closed.operator.patch("/v1/tenants/acme", &json!({ "limits": { "in-flight": "2" } })).ok();
    acme.until(&second, "running", |request| request["state"] == "RUNNING");
    assert_eq!(acme.request(&first)["state"], "RUNNING");
    let_go(&acme, &second);
    let_go(&acme, &first);
}

#[test]
fn a_weight_that_is_changed_changes_the_order_of_what_waits() {
    let closed = Closed::start(&["--concurrency", "1"]);
    let (light, heavy) = (closed.tenant("light", json!({})), closed.tenant("heavy", json!({})));
    for api in [&light, &heavy] {
        api.push(guests::GUEST_TWIN);
        assert_eq!(api.run("twin.echo", json!([0]))["state"], "SUCCESS");
    }
    let blocker = closed.tenant("blocker", json!({}));
    blocker.push(guests::GUEST_TWIN);
    let holding = hold(&blocker);
    let submit = |api: &Api| (0..30).map(|n| api.submit("twin.echo", json!([n]), json!({}))).collect::<Vec<_>>();
    let (of_light, of_heavy) = (submit(&light), submit(&heavy));
    closed.operator.patch("/v1/tenants/heavy", &json!({ "weight": 20 })).ok();
    let_go(&blocker, &holding);
    let finished = |api: &Api, ids: &[String]| ids.iter().map(|id| api.wait(id)["finished"].to_string()).collect::<Vec<_>>();
    let (light, heavy) = (finished(&light, &of_light), finished(&heavy, &of_heavy));
    let last_of_heavy = heavy.iter().max().unwrap();
    let before = light.iter().filter(|finished| *finished < last_of_heavy).count();
    assert!(before < 15, "{before} of 30 requests of the lighter tenant were done before the last of the heavier");
}

#[test]
fn each_tenant_is_told_what_it_used_itself() {
    let closed = Closed::start(&[]);
    let (acme, other) = (closed.tenant("acme", json!({})), closed.tenant("other", json!({})));
    acme.push(guests::EXAMPLE_ADD);
    for n in 0..3 {
        assert_eq!(acme.run("example.add", json!([n, 1]))["state"], "SUCCESS");
    }
    let today = |api: &Api| api.get("/v1/usage?days=1").ok()["days"][0].clone();
    until("usage of three requests", || today(&acme)["requests"] == 3);
    let used = today(&acme);
    for number in ["attempts", "cpu_us", "stored_bytes"] {
        assert!(used[number].as_u64() > Some(0), "{number}: {used}");
    }
    let usage = other.get("/v1/usage").ok();
    assert_eq!(usage["tenant"], "other");
    for day in usage["days"].as_array().unwrap() {
        let numbers = day.as_object().unwrap().iter().filter(|(name, _)| *name != "day");
        assert!(numbers.map(|(_, number)| number).all(|number| *number == 0), "{day}");
    }
}
