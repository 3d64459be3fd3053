//! Modules: uploaded, refused with the reason, replaced and rolled back.

use serde_json::{Value, json};

use crate::support::{Node, guests, shared_node};

#[test]
fn what_is_no_component_is_refused_with_the_reason_and_nothing_changes() {
    let api = shared_node().api("refused");
    let core_module = b"\0asm\x01\0\0\0".as_slice();
    let cases =
        [(b"hello".as_slice(), "not"), (core_module, "core module"), (b"".as_slice(), "empty"), (b"\0asm\x0d\0\x01\0".as_slice(), "tasks")];
    for (bytes, reason) in cases {
        let refused = api.upload("bad", bytes);
        let detail = refused.problem(422, "module-refused");
        assert!(detail.contains(reason), "{bytes:?}: {detail}");
    }
    assert_eq!(api.get("/v1/modules").ok()["modules"], json!([]));
}

#[test]
fn a_module_whose_description_loops_is_refused() {
    let refused = shared_node().api("refused").upload("looping", &std::fs::read(guests::GUEST_DESCRIBE_LOOP).unwrap());
    assert!(refused.problem(422, "module-refused").contains("describe"), "{refused:?}");
}

#[test]
fn a_module_over_its_bound_is_refused_with_the_bound_named() {
    let node = Node::embedded(&["--limit", "module=32KiB"]);
    let refused = node.api("default").upload("large", &vec![0; 40_000]);
    assert!(refused.problem(413, "over-bound").contains("over the bound module of 32KiB"), "{refused:?}");
}

#[test]
fn two_modules_cannot_serve_one_task() {
    let api = shared_node().api("default");
    let refused = api.upload("other-name", &std::fs::read(guests::EXAMPLE_ADD).unwrap());
    assert!(refused.problem(409, "task-taken").contains("example.add"), "{refused:?}");
}

#[test]
fn the_newest_version_serves_until_it_is_rolled_back() {
    let api = shared_node().api("versions");
    let digest = |body: &Value| body["digest"].as_str().unwrap().to_owned();
    let old = digest(&api.upload("m", &std::fs::read(guests::EXAMPLE_ADD).unwrap()).ok());
    let new = digest(&api.upload("m", &std::fs::read(guests::EXAMPLE_METADATA).unwrap()).ok());
    assert_ne!(old, new);
    api.post("/v1/requests", &json!({ "name": "example.add", "args": [1, 2] })).problem(422, "unknown-task");
    api.post("/v1/modules/m/roll-back", &json!({})).ok();
    assert_eq!(api.run("example.add", json!([1, 2]))["report"]["receipt"]["module"], json!(old));
    api.post("/v1/modules/m/roll-back", &json!({ "to": new })).ok();
    assert_eq!(api.get("/v1/modules/m").ok()["active"], json!(new));
    assert!(api.post("/v1/modules/n/roll-back", &json!({})).problem(404, "module-not-found").contains('n'));
}
