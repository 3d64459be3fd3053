//! What clients may send: bounded, checked, and answered with what is allowed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{mogbox, shared_node};

#[test]
fn arguments_over_their_bound_or_nested_too_deep_are_refused_at_submission() {
    let api = shared_node().api("default");
    let refused = api.post("/v1/requests", &json!({ "name": "example.add", "args": ["x".repeat(1_100_000)] }));
    assert!(refused.problem(413, "over-bound").contains("over the bound arguments of 1MiB"), "{refused:?}");
    let deep = serde_json::from_str::<serde_json::Value>(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).unwrap();
    let refused = api.post("/v1/requests", &json!({ "name": "example.add", "args": [deep] }));
    assert!(refused.problem(400, "malformed-body").contains("nested deeper than 64"), "{refused:?}");
}

#[test]
fn names_and_ids_that_are_malformed_are_named_with_what_is_allowed() {
    let api = shared_node().api("default");
    assert!(api.get("/v1/requests/123").problem(400, "invalid-name").contains("\"123\""));
    let refused = api.post("/v1/requests", &json!({ "name": "no spaces", "args": [] }));
    assert!(refused.problem(400, "malformed-body").contains("no spaces"), "{refused:?}");
    assert!(shared_node().api("a%7Bb").get("/v1/modules").problem(400, "invalid-name").contains("a{b"));
    let unknown = api.get("/v1/requests/9b09b78c-688f-4d40-b7ba-1a1fb10215e2");
    assert!(unknown.problem(404, "request-not-found").contains("9b09b78c"), "{unknown:?}");
}

#[test]
fn a_call_from_another_site_is_refused() {
    for (host, origin) in [("evil.example", None), ("127.0.0.1", Some("https://evil.example"))] {
        let mut stream = TcpStream::connect(shared_node().url().trim_start_matches("http://")).unwrap();
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        write!(stream, "GET /v1/modules HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("foreign-caller"), "{answer}");
    }
}

#[test]
fn a_node_says_whether_it_lives_and_whether_it_is_ready() {
    let api = shared_node().api("default");
    assert_eq!(api.get("/healthz").ok()["status"], "ok");
    assert_eq!(api.get("/readyz").ok()["status"], "ok");
    api.get("/nowhere").problem(404, "no-such-route");
}

#[test]
fn a_node_whose_redis_is_away_says_so_and_goes_on_when_it_is_back() {
    let mut redis = mogbox_fixtures::RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).unwrap();
    let node = crate::support::Node::redis(&redis.url(), &[]);
    let api = node.api("default");
    api.push(crate::support::guests::EXAMPLE_ADD);
    redis.kill();
    assert_eq!(api.get("/readyz").status, 503);
    assert_eq!(api.get("/healthz").status, 200);
    api.post("/v1/requests", &json!({ "name": "example.add", "args": [1, 2] })).problem(503, "unavailable");
    let on_node = |args: &[&str]| mogbox(&[["--server", node.url()].as_slice(), args].concat());
    let error = on_node(&["submit", "example.add", "1", "2"]).failed();
    let id = error.split("--id ").nth(1).unwrap_or_else(|| panic!("no id to submit it again: {error}")).split(':').next().unwrap();
    redis.restart().unwrap();
    let started = std::time::Instant::now();
    while api.get("/readyz").status != 200 {
        assert!(started.elapsed().as_secs() < 60, "not ready 60 s after its Redis came back: {}", node.log());
        std::thread::yield_now();
    }
    assert_eq!(api.run("example.add", json!([1, 2]))["value"], json!(3.0));
    assert_eq!(on_node(&["submit", "example.add", "1", "2", "--id", id, "--wait"]).ok().trim(), "3.0");
}
