//! More than one node on one Redis, and nodes that stop.

use std::collections::HashSet;

use mogbox_fixtures::RedisServer;
use serde_json::json;

use crate::support::{Node, guests};

#[test]
fn two_nodes_share_the_work() {
    let redis = RedisServer::start().unwrap();
    let (first, second) = (Node::redis(&redis.url(), &["--concurrency", "2"]), Node::redis(&redis.url(), &["--concurrency", "2"]));
    let api = first.api("default");
    api.push(guests::EXAMPLE_PROGRESS);
    let ids: Vec<String> = (0..12).map(|_| api.submit("example.progress", json!([2, 50]), json!({}))).collect();
    let done: Vec<_> = ids.iter().map(|id| second.api("default").wait(id)).collect();
    assert!(done.iter().all(|request| request["state"] == "SUCCESS"), "{done:?}");
    let nodes: HashSet<&str> = done.iter().map(|request| request["node_id"].as_str().unwrap()).collect();
    assert_eq!(nodes.len(), 2, "one node did everything: {nodes:?}");
}

#[test]
fn a_node_that_is_stopped_gives_back_what_it_runs_and_another_finishes_it() {
    let redis = RedisServer::start().unwrap();
    let first = Node::redis(&redis.url(), &["--drain", "200ms"]);
    let api = first.api("default");
    api.push(guests::EXAMPLE_PROGRESS);
    let id = api.submit("example.progress", json!([40, 50]), json!({}));
    let running = api.until(&id, "running", |request| request["state"] == "RUNNING");
    first.ask_to_stop();
    let second = Node::redis(&redis.url(), &[]);
    let status = first.ended();
    assert!(status.success(), "{status:?}");
    let done = second.api("default").wait(&id);
    assert_eq!(done["state"], "SUCCESS", "{done}");
    assert_ne!(done["node_id"], running["node_id"]);
    assert_eq!((&done["number_of_starts"], &done["number_of_stops"]), (&json!(2), &json!(2)));
}

#[test]
fn a_node_that_is_killed_loses_nothing() {
    let redis = RedisServer::start().unwrap();
    let first = Node::redis(&redis.url(), &["--lease", "1s"]);
    let api = first.api("default");
    api.push(guests::EXAMPLE_PROGRESS);
    let id = api.submit("example.progress", json!([20, 50]), json!({}));
    api.until(&id, "running", |request| request["state"] == "RUNNING");
    drop(first);
    let second = Node::redis(&redis.url(), &["--lease", "1s"]);
    let done = second.api("default").wait(&id);
    assert_eq!(done["state"], "SUCCESS", "{done}");
    assert_eq!((&done["number_of_starts"], &done["number_of_stops"]), (&json!(2), &json!(1)));
}

#[test]
fn a_request_that_takes_its_nodes_along_ends_in_the_dead_letters() {
    let redis = RedisServer::start().unwrap();
    let start = || Node::redis(&redis.url(), &["--lease", "1s", "--limit", "retries=1"]);
    let first = start();
    first.api("default").push(guests::EXAMPLE_PROGRESS);
    let id = first.api("default").submit("example.progress", json!([1000, 50]), json!({}));
    let killed_at = |node: Node, start: u64| {
        node.api("default").until(&id, "started", |request| request["state"] == "RUNNING" && request["number_of_starts"] == json!(start));
        drop(node);
    };
    killed_at(first, 1);
    killed_at(start(), 2);
    let last = start();
    let done = last.api("default").wait(&id);
    assert_eq!((&done["state"], &done["error"]["code"]), (&json!("FAILURE"), &json!("too-many-retries")), "{done}");
    // The letter is stored when the delivery is settled, a moment after the result.
    let started = std::time::Instant::now();
    let mut letters = json!([]);
    while letters == json!([]) {
        assert!(started.elapsed().as_secs() < 60, "no dead letter after 60 s: {}", last.log());
        letters = last.api("default").get("/v1/dead-letters").ok()["dead_letters"].clone();
    }
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");
    let table = crate::support::mogbox(&["--server", last.url(), "dead-letters"]).ok();
    assert!([&id, "example.progress", letters[0]["reason"].as_str().unwrap()].iter().all(|text| table.contains(*text)), "{table}");
}

#[test]
fn the_embedded_store_keeps_what_was_queued_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("kept");
    let data = data.to_str().unwrap();
    let first = Node::embedded(&["--data", data, "--drain", "200ms"]);
    let api = first.api("default");
    api.push(guests::EXAMPLE_PROGRESS);
    let running = api.submit("example.progress", json!([40, 50]), json!({}));
    let delayed = api.submit_request(&json!({ "name": "example.progress", "args": [1, 1], "delay_ms": 1500 }));
    api.until(&running, "running", |request| request["state"] == "RUNNING");
    first.ask_to_stop();
    assert!(first.ended().success());
    let second = Node::embedded(&["--data", data]);
    for id in [running, delayed] {
        let done = second.api("default").wait(&id);
        assert_eq!(done["state"], "SUCCESS", "{done}");
    }
}

/// Starts a node on a folder, with leases that nobody waits out, and kills it while it runs the request for the so-manieth time.
fn killed_while_it_runs(data: &str, id: Option<&str>, start: u64) -> String {
    let node = Node::embedded(&["--data", data, "--lease", "1h", "--limit", "retries=1"]);
    let api = node.api("default");
    let id = id.map_or_else(
        || {
            api.push(guests::EXAMPLE_PROGRESS);
            api.submit("example.progress", json!([40, 50]), json!({}))
        },
        str::to_owned,
    );
    api.until(&id, "running", |request| request["state"] == "RUNNING" && request["number_of_starts"] == json!(start));
    id
}

#[test]
fn an_embedded_node_that_was_killed_goes_on_at_once_when_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let data = data.to_str().unwrap();
    let id = killed_while_it_runs(data, None, 1);
    let done = Node::embedded(&["--data", data, "--lease", "1h"]).api("default").wait(&id);
    assert_eq!((&done["state"], &done["number_of_starts"], &done["number_of_stops"]), (&json!("SUCCESS"), &json!(2), &json!(1)), "{done}");
}

#[test]
fn a_request_that_kills_its_embedded_node_at_each_start_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let data = data.to_str().unwrap();
    let id = killed_while_it_runs(data, None, 1);
    killed_while_it_runs(data, Some(&id), 2);
    let last = Node::embedded(&["--data", data, "--lease", "1h", "--limit", "retries=1"]);
    let done = last.api("default").wait(&id);
    assert_eq!((&done["state"], &done["error"]["code"]), (&json!("FAILURE"), &json!("too-many-retries")), "{done}");
}

#[test]
fn a_second_node_on_the_same_data_folder_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let _first = Node::embedded(&["--data", data.to_str().unwrap()]);
    let error = crate::support::mogbox(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]).failed();
    assert!(error.contains("in use by another node"), "{error}");
}

#[test]
fn a_node_that_starts_again_has_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let names: HashSet<String> = (0..2)
        .map(|_| {
            let node = Node::embedded(&["--data", data.to_str().unwrap()]);
            node.api("default").push(guests::EXAMPLE_ADD);
            node.api("default").run("example.add", json!([1, 2]))["node_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn guests_that_compute_on_every_thread_for_longer_than_their_leases_keep_them() {
    // Bound of host calls out of the way: each turn of the spin reads the clock.
    let node = Node::embedded(&["--concurrency", "8", "--lease", "4s", "--limit", "host-calls=100000000"]);
    let api = node.api("default");
    api.push(guests::GUEST_HOSTILE);
    let ids: Vec<String> = (0..8).map(|_| api.submit("hostile.spin", json!([10_000]), json!({}))).collect();
    for id in ids {
        let done = api.wait(&id);
        assert_eq!((&done["state"], &done["number_of_starts"]), (&json!("SUCCESS"), &json!(1)), "{done}");
    }
}
