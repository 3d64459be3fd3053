//! The real Python client of Mognet, unmodified, reads and writes what Mogbox stores.

use std::sync::OnceLock;

use mogbox_fixtures::RedisServer;
use serde_json::{Value, json};

use crate::readme::python;
use crate::support::{Node, guests, repository, run};

struct Fleet {
    redis: RedisServer,
    node: Node,
}

fn fleet() -> &'static Fleet {
    static FLEET: OnceLock<Fleet> = OnceLock::new();
    FLEET.get_or_init(|| {
        let redis = RedisServer::start().unwrap();
        let node = Node::redis(&redis.url(), &[]);
        for component in guests::EXAMPLES {
            node.api("wiretest").push(component);
        }
        Fleet { redis, node }
    })
}

/// Asks the client; its answer is one line of JSON.
fn client(args: &[&str]) -> Value {
    let script = repository().join("tests/python/mognet_client.py");
    let mut command = python();
    command.arg(script).args(["--redis", &fleet().redis.url(), "--app", "wiretest"]).args(args);
    serde_json::from_str(&run(&mut command).ok()).unwrap()
}

#[test]
fn the_client_gets_the_result_by_id_awaits_its_value_and_reads_its_metadata() {
    let api = fleet().node.api("wiretest");
    let id = api.submit("demo.set_metadata", json!(["dkl"]), json!({ "user_id": "dol", "n": { "a": [1, null, true] } }));
    let seen = client(&["result", &id]);
    assert_eq!((&seen["state"], &seen["value"]), (&json!("SUCCESS"), &json!("This task is now by @dkl")), "{seen}");
    assert_eq!(seen["metadata"], json!({ "user_id": "dkl", "n": { "a": [1, null, true] } }));
}

#[test]
fn the_client_raises_the_exceptions_of_mognet() {
    let api = fleet().node.api("wiretest");
    let unknown = api.submit_request(&json!({ "name": "demo.nope", "allow_unknown": true }));
    let arguments = api.submit_request(&json!({ "name": "example.add", "args": ["x'\"\n\u{1f600}"] }));
    let late = api.submit_request(&json!({ "name": "example.add", "args": [1, 2], "deadline": "2020-01-01T00:00:00Z" }));
    for (id, class) in [(unknown, "UnknownTask"), (arguments, "InvalidTaskArguments"), (late, "Revoked")] {
        let seen = client(&["result", &id]);
        assert!(seen["exception"]["class"].as_str().unwrap().ends_with(class), "{class}: {seen}");
    }
}

#[test]
fn the_client_writes_metadata_and_revokes_while_the_task_runs() {
    let api = fleet().node.api("wiretest");
    let id = api.submit("example.progress", json!([600, 50]), json!({ "user_id": "dol" }));
    api.until(&id, "running", |request| request["metadata"]["progress"]["done"].as_u64() >= Some(1));
    client(&["set-metadata", &id, "note=\"seen\""]);
    let written = api.request(&id);
    assert_eq!((&written["metadata"]["note"], &written["metadata"]["user_id"]), (&json!("seen"), &json!("dol")));
    client(&["revoke", &id]);
    let revoked = api.wait(&id);
    assert_eq!(revoked["state"], "REVOKED");
}
