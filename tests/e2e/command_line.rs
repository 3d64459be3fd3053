//! The command line: what a newcomer types, and what each mistake of the first ten minutes is answered with.

use serde_json::Value;

use crate::support::{Output, guests, mogbox, shared_node};

/// Runs a command against the shared node.
fn on_node(args: &[&str]) -> Output {
    mogbox(&[["--server", shared_node().url()].as_slice(), args].concat())
}

#[test]
fn every_subcommand_teaches_by_example() {
    let help = mogbox(&["--help"]).ok();
    let commands: Vec<&str> =
        help.split("Commands:").nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let commands: Vec<&str> =
        commands.into_iter().take_while(|name| !name.starts_with('-')).filter(|name| !name.is_empty() && *name != "help").collect();
    for expected in ["serve", "build", "push", "modules", "submit", "get", "wait", "metadata", "revoke", "dead-letters"] {
        assert!(commands.contains(&expected), "{expected} is not among {commands:?}");
    }
    for command in commands {
        let help = mogbox(&[command, "--help"]).ok();
        assert!(help.contains("Examples:") && help.contains(&format!("mogbox {command}")), "{command}: {help}");
    }
}

#[test]
fn a_request_is_submitted_waited_for_and_read_back() {
    let output = on_node(&["submit", "example.add", "1", "2", "--wait"]).ok();
    assert_eq!(output.trim().lines().last(), Some("3.0"), "{output}");
    let submitted: Value =
        serde_json::from_str(&on_node(&["--json", "submit", "example.add", "--kwargs", r#"{"n1": 1, "n2": 2}"#]).ok()).unwrap();
    let id = submitted["id"].as_str().unwrap();
    on_node(&["wait", id]).ok();
    let read: Value = serde_json::from_str(&on_node(&["--json", "get", id]).ok()).unwrap();
    assert_eq!((&read["state"], &read["value"]), (&"SUCCESS".into(), &3.0.into()));
    let table = on_node(&["get", id]).ok();
    assert!(table.contains("SUCCESS") && table.contains("example.add"), "{table}");
}

#[test]
fn metadata_is_set_and_read() {
    let submitted = on_node(&["--json", "submit", "demo.get_metadata", "--metadata", r#"user_id="dol""#, "--wait"]).ok();
    let submitted: Value = serde_json::from_str(submitted.trim()).unwrap();
    let id = submitted["id"].as_str().unwrap();
    on_node(&["metadata", id, "--set", r#"user_id="dkl""#]).ok();
    assert!(on_node(&["metadata", id]).ok().contains("dkl"));
}

#[test]
fn a_request_that_fails_makes_the_command_fail_with_its_text() {
    let failed = on_node(&["submit", "example.add", "1", "--wait"]);
    assert_ne!(failed.code, 0);
    assert!(failed.stderr.contains("n2"), "{}", failed.stderr);
}

#[test]
fn mistakes_are_answered_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let text_file = folder.path().join("notes.txt");
    std::fs::write(&text_file, "not a module").unwrap();
    let text_file = text_file.to_str().unwrap();
    let data = folder.path().join("store");
    let data = data.to_str().unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["push", "no-such-file.wasm"], &["no-such-file.wasm", "mogbox build"]),
        (&["push", text_file], &["notes.txt", "it is text, expected a WebAssembly component"]),
        (&["submit", "example.ad", "1", "2"], &["example.ad", "example.add"]),
        (&["submit", "example.add", "--kwargs", "{n1: 1}"], &["{n1: 1}", "JSON"]),
        (&["submit", "example.add", "1", "2", "--metadata", "user_id"], &["user_id", "key=json"]),
        (&["submit", "example.add", "1", "2", "--deadline", "soon"], &["soon", "30s"]),
        (&["get", "123"], &["123", "UUID"]),
        (&["get", "9b09b78c-688f-4d40-b7ba-1a1fb10215e2"], &["9b09b78c-688f-4d40-b7ba-1a1fb10215e2"]),
        (&["modules", "roll-back", "nothing"], &["nothing"]),
        (&["serve", "--limit", "memroy=1GiB"], &["memroy", "memory"]),
        (&["serve", "--limit", "memory=lots"], &["lots", "64MiB"]),
        (&["serve", "--data", data, "--listen", "0.0.0.0:7777"], &["0.0.0.0:7777", "loopback"]),
        (&["serve", "--redis", "redis://127.0.0.1:1"], &["127.0.0.1:1", "redis"]),
    ];
    for (args, expected) in cases {
        let error = on_node(args).failed();
        for text in *expected {
            assert!(error.contains(text), "{args:?} does not name {text:?}: {error}");
        }
        assert!(!error.contains("panicked") && !error.contains("backtrace"), "{error}");
    }
}

#[test]
fn a_node_that_does_not_run_and_a_port_that_is_taken_are_told_with_the_way_out() {
    let port = mogbox_fixtures::free_port().unwrap();
    let error = mogbox(&["--server", &format!("http://127.0.0.1:{port}"), "modules"]).failed();
    assert!(error.contains(&port.to_string()) && error.contains("mogbox serve"), "{error}");
    let taken = shared_node().url().trim_start_matches("http://");
    let folder = tempfile::tempdir().unwrap();
    let error = mogbox(&["serve", "--listen", taken, "--data", folder.path().to_str().unwrap()]).failed();
    assert!(error.contains(taken) && error.contains("--listen"), "{error}");
}

#[test]
fn what_a_guest_writes_cannot_drive_the_terminal() {
    let id = "0d3b5b0e-3f0f-4d51-9d0e-0b8f3f6d7a11";
    let escape = "\u{1b}[31mred\u{202e}";
    let metadata = format!("note={}", serde_json::to_string(escape).unwrap());
    on_node(&["submit", "demo.get_metadata", "--metadata", &metadata, "--metadata", r#"user_id="dol""#, "--id", id, "--wait"]).ok();
    for command in ["get", "metadata"] {
        let output = on_node(&[command, id]).ok();
        assert!(output.contains("red") && !output.contains('\u{1b}') && !output.contains('\u{202e}'), "{output:?}");
    }
}

#[test]
fn modules_are_pushed_and_listed_with_what_they_serve() {
    let pushed = on_node(&["--tenant", "listed", "push", guests::EXAMPLE_ADD, "--name", "sums"]).ok();
    assert!(pushed.contains("example.add"), "{pushed}");
    let listed = on_node(&["--tenant", "listed", "modules"]).ok();
    assert!(listed.contains("sums") && listed.contains("example.add"), "{listed}");
}
