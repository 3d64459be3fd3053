//! What one tenant is given and others are not: values and secrets, hosts that its tasks may reach, processes of its own.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::pair::Closed;
use crate::isolation::processes;
use crate::outgoing::Server;
use crate::support::{Api, guests};

const SECRET: &str = "s3cret-of-acme-and-of-nobody-else";

/// Files below a folder that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path).is_ok_and(|content| content.windows(bytes.len()).any(|window| window == bytes)) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn values_and_secrets_are_read_by_the_tenants_guests_and_secrets_are_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let closed = Closed::start(&["--data", folder.path().join("store").to_str().unwrap(), "--log", "debug"]);
    let (acme, other) = (closed.tenant("acme", json!({})), closed.tenant("other", json!({ "config": { "region": "us" } })));
    acme.push(guests::GUEST_WEB);
    other.push(guests::GUEST_WEB);
    let change = json!({ "config": { "region": "eu" }, "secrets": { "api-key": SECRET } });
    let changed = closed.operator.patch("/v1/tenants/acme", &change).ok();
    assert_eq!((&changed["config"]["values"]["region"], &changed["secrets"]), (&json!("eu"), &json!(["api-key"])), "{changed}");
    for path in ["/v1/tenants", "/v1/tenants/acme", "/v1/tokens"] {
        let shown = closed.operator.get(path).ok().to_string();
        assert!(!shown.contains(SECRET), "{path}: {shown}");
    }
    // The task answers what it read, so that the value of its request has the secret: what is stored before has not.
    assert_ne!(holding(folder.path(), b"region"), [""; 0], "what is no secret is found where records are stored");
    assert_eq!(holding(folder.path(), SECRET.as_bytes()), [""; 0]);
    let request = acme.run("web.config", json!([]));
    assert_eq!(request["value"]["all"]["Ok"], json!({ "api-key": SECRET, "region": "eu" }), "{request}");
    assert_eq!(other.run("web.config", json!([]))["value"]["all"]["Ok"], json!({ "region": "us" }));
    assert!(!closed.node.log().contains(SECRET), "{}", closed.node.log());
    closed.operator.patch("/v1/tenants/acme", &json!({ "config": { "region": null }, "secrets": { "api-key": null } })).ok();
    assert_eq!(acme.run("web.config", json!([]))["value"]["all"]["Ok"], json!({}));
}

#[test]
fn hosts_are_reached_by_the_tenant_that_has_the_rule() {
    let (closed, server) = (Closed::start(&[]), Server::start());
    let rule = json!({ "http": [{ "allow": "GET http://127.0.0.1:*", "private": true }] });
    let (acme, other) = (closed.tenant("acme", rule), closed.tenant("other", json!({})));
    for api in [&acme, &other] {
        api.push(guests::GUEST_WEB);
    }
    let fetched = |api: &Api| api.run("web.fetch", json!([server.url("/")]))["value"].clone();
    assert_eq!(fetched(&acme)["status"], 200);
    let refused = fetched(&other);
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("HttpRequestDenied")), "{refused}");
    assert_eq!(server.requests(), 1);
    closed.operator.patch("/v1/tenants/acme", &json!({ "http": [] })).ok();
    let refused = fetched(&acme);
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("HttpRequestDenied")), "{refused}");
    assert_eq!(server.requests(), 1);
}

#[test]
fn one_tenants_attempts_run_in_processes_of_its_own() {
    let closed = Closed::start(&[]);
    let (apart, shared) = (closed.tenant("apart", json!({ "isolation": "process" })), closed.tenant("shared", json!({})));
    for api in [&apart, &shared] {
        api.push(guests::EXAMPLE_ADD);
    }
    assert_eq!(shared.run("example.add", json!([1, 2]))["value"], 3.0);
    assert_eq!(processes(&closed.node), [0; 0]);
    assert_eq!(apart.run("example.add", json!([1, 2]))["value"], 3.0);
    assert_eq!(processes(&closed.node).len(), 1);
}
