//! Modules that take a compiler too much: refused within the bounds, while the node does everything else.

use std::fs;

use mogbox_fixtures::guest::{Guest, compile_bomb, memory_bomb, padded};
use serde_json::json;

use crate::support::{Node, guests, mogbox};

/// The process that compiles for a node, once there is one.
fn compiler_of(node: u32) -> u32 {
    loop {
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
        if let Some(child) = processes.into_iter().find(|process| is_child(*process, node)) {
            return child;
        }
        std::thread::yield_now();
    }
}

fn is_child(process: u32, parent: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|of| of.trim() == parent.to_string()))
}

#[test]
fn a_module_over_the_bound_on_compile_time_is_refused_while_the_node_serves_others() {
    let node = Node::embedded(&["--limit", "compile-time=20s"]);
    let (api, bomber) = (node.api("honest"), node.api("bomber"));
    api.push(guests::EXAMPLE_ADD);
    let upload = std::thread::spawn(move || (bomber.upload("bomb", &compile_bomb()), bomber));
    let compiler = compiler_of(node.pid());
    for number in 0..20 {
        assert_eq!(api.run("example.add", json!([number, 1]))["value"].as_f64(), Some(f64::from(number + 1)));
    }
    // Others are compiled as well meanwhile.
    api.upload("metadata", &fs::read(guests::EXAMPLE_METADATA).unwrap()).ok();
    assert!(is_child(compiler, node.pid()), "it was refused before the others were served");
    let (refused, bomber) = upload.join().unwrap();
    let detail = refused.problem(422, "module-refused");
    assert!(detail.contains("it takes more than 20s of time to compile, over the bound compile-time of 20s; a node"), "{detail}");
    assert_eq!(bomber.get("/v1/modules").ok()["modules"], json!([]));
    assert!(!is_child(compiler, node.pid()));
}

#[test]
fn a_module_over_the_bound_on_compile_memory_is_refused() {
    let node = Node::embedded(&["--limit", "compile-memory=64MiB"]);
    let refused = node.api("bomber").upload("large", &padded(60 << 20));
    let detail = refused.problem(422, "module-refused");
    assert!(detail.contains("it takes more than 64MiB of memory to compile, over the bound compile-memory of 64MiB"), "{detail}");
    node.api("honest").upload("small", &Guest::default().build()).ok();
}

#[test]
fn a_small_module_that_takes_gigabytes_to_compile_is_refused_at_the_bound_that_nodes_have() {
    let node = Node::embedded(&[]);
    let (api, bomb) = (node.api("honest"), memory_bomb());
    assert!(bomb.len() < 300 << 10, "{}", bomb.len());
    api.push(guests::EXAMPLE_ADD);
    let refused = node.api("bomber").upload("bomb", &bomb);
    let detail = refused.problem(422, "module-refused");
    assert!(detail.contains("it takes more than 1GiB of memory to compile, over the bound compile-memory of 1GiB"), "{detail}");
    assert_eq!(api.run("example.add", json!([1, 1]))["value"].as_f64(), Some(2.0));
}

#[test]
fn a_dry_run_tells_what_a_module_is_and_changes_nothing() {
    let node = Node::embedded(&[]);
    let (api, add) = (node.api("dry"), fs::read(guests::EXAMPLE_ADD).unwrap());
    let found = api.upload("add?dry_run=true", &add);
    assert_eq!(found.status, 200);
    let body = found.ok();
    assert_eq!((&body["name"], &body["size"], &body["tasks"][0]["name"]), (&json!("add"), &json!(add.len()), &json!("example.add")));
    assert!(body["exports"].as_array().unwrap().iter().any(|name| name.as_str().unwrap().starts_with("mogbox:task/tasks@")), "{body}");
    assert!(body["compiled_bytes"].as_u64().unwrap() > 0 && body["compile_ms"].is_u64(), "{body}");
    assert_eq!(api.get("/v1/modules").ok()["modules"], json!([]));
    api.upload("bad?dry_run=true", b"hello").problem(422, "module-refused");
    let shown = mogbox(&["push", guests::EXAMPLE_ADD, "--name", "add", "--dry-run", "--server", node.url(), "--tenant", "dry"]).ok();
    assert!(shown.contains("add could be pushed: 1 task (") && shown.contains("\nserves\n  example.add("), "{shown}");
    assert_eq!(api.get("/v1/modules").ok()["modules"], json!([]));
    api.push(guests::EXAMPLE_ADD);
    let taken = api.upload("other?dry_run=true", &add);
    assert!(taken.problem(409, "task-taken").contains("example.add"), "{taken:?}");
}
