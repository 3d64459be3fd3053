//! Attempts in processes of their tenants': what tasks can do is the same, and a process that dies takes only its own attempts along.

use std::fs;

use mogbox_fixtures::signal;
use serde_json::json;

use crate::support::{Api, Node, guests};

fn node() -> Node {
    let node = Node::embedded(&["--isolation", "process", "--concurrency", "16"]);
    push_all(&node.api("default"));
    node
}

fn push_all(api: &Api) {
    for component in guests::EXAMPLES {
        api.push(component);
    }
}

/// The processes that a node has started.
pub(crate) fn processes(node: &Node) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).ok());
    children.flat_map(|text| text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()).collect()
}

#[test]
fn the_examples_run_in_a_process_of_their_tenant() {
    let node = node();
    let api = node.api("default");
    assert_eq!(processes(&node), [0; 0]);
    assert_eq!(api.run("example.add", json!([1, 2]))["value"], json!(3.0));
    assert_eq!(processes(&node).len(), 1);
    let family = api.run("example.family", json!([4]));
    assert_eq!((&family["state"], family["children"].as_array().unwrap().len()), (&json!("SUCCESS"), 4), "{family}");
    let checkpoints = api.run("example.checkpoints", json!([3, 50]));
    assert_eq!((&checkpoints["state"], &checkpoints["number_of_starts"]), (&json!("SUCCESS"), &json!(3)), "{checkpoints}");
    let progress = api.run("example.progress", json!([3, 1]));
    assert_eq!(progress["state"], "SUCCESS", "{progress}");
    assert!(progress["report"]["receipt"]["cpu_us"].as_u64() > Some(0), "{progress}");
    let invalid = api.submit_request(&json!({ "name": "example.add", "args": ["one"] }));
    assert_eq!(api.wait(&invalid)["state"], "INVALID");
    assert_eq!(processes(&node).len(), 1, "one process serves all of a tenant");
}

#[test]
fn a_revoked_request_ends_in_its_process_and_leaves_the_others() {
    let node = node();
    let api = node.api("default");
    let long = json!({ "name": "example.progress", "args": [100_000, 50] });
    let (revoked, other) = (api.submit_request(&long), api.submit_request(&long));
    for id in [&revoked, &other] {
        api.until(id, "running", |request| request["state"] == "RUNNING");
    }
    api.post(&format!("/v1/requests/{revoked}/revoke"), &json!({})).ok();
    assert_eq!(api.wait(&revoked)["state"], "REVOKED");
    assert_eq!(api.request(&other)["state"], "RUNNING");
    assert_eq!(api.run("example.add", json!([1, 2]))["value"], json!(3.0));
}

#[test]
fn a_process_that_is_killed_costs_the_attempts_in_it_and_nothing_else() {
    let node = node();
    let (victim, bystander) = (node.api("default"), node.api("other"));
    push_all(&bystander);
    let long = json!({ "name": "example.progress", "args": [100_000, 50] });
    let lost = victim.submit_request(&long);
    victim.until(&lost, "running", |request| request["state"] == "RUNNING" && request["metadata"] != json!({}));
    let first = processes(&node);
    let kept = bystander.submit_request(&long);
    bystander.until(&kept, "running", |request| request["state"] == "RUNNING" && request["metadata"] != json!({}));
    assert_eq!((first.len(), processes(&node).len()), (1, 2));
    signal("KILL", first[0]).unwrap();
    let request = victim.wait(&lost);
    assert_eq!(request["state"], "FAILURE", "{request}");
    assert!(request["error"]["message"].as_str().unwrap().contains("the sandbox process ended: signal 9"), "{request}");
    assert_eq!(victim.run("example.add", json!([1, 2]))["value"], json!(3.0));
    assert_eq!(bystander.request(&kept)["state"], "RUNNING");
}

#[test]
fn a_process_has_no_environment_no_rights_and_no_life_without_its_node() {
    let mut node = node();
    node.api("default").run("example.add", json!([1, 2]));
    let process = processes(&node)[0];
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(
        (field("Seccomp:"), field("NoNewPrivs:"), field("CapEff:")),
        ("2".into(), "1".into(), "0000000000000000".into()),
        "{status}"
    );
    assert_eq!(fs::read(format!("/proc/{process}/environ")).unwrap(), b"");
    node.kill();
    let gone = std::time::Instant::now();
    while fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(gone.elapsed().as_secs() < 60, "process {process} outlives its node");
        std::thread::yield_now();
    }
}
