//! An embedded store whose disk is full, or that may not be written any more.

use std::fs::File;
use std::io::{ErrorKind, Write as _};

use serde_json::json;

use super::Outlived;
use crate::support::{Node, binary, guests, run, untold};

#[test]
fn a_disk_that_is_full() {
    let node = Node::on_a_small_disk("16m", &["--limit", "retries=0"]);
    let outage = Outlived::begins(&node);
    let filler = node.disk().join("filler");
    assert_eq!(fill(File::create(&filler).unwrap()), ErrorKind::StorageFull);
    outage.is_told("disk is full");
    std::fs::remove_file(&filler).unwrap();
    outage.ends_well();
}

/// Writes until that is refused, and closes the file.
fn fill(mut file: File) -> ErrorKind {
    loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            return error.kind();
        }
    }
}

/// A bound on the size of files refuses every write alike, whoever the node runs as, which permissions would not: root may do anything.
#[test]
fn files_that_may_not_be_written() {
    let node = Node::embedded(&["--limit", "retries=0"]);
    let outage = Outlived::begins(&node);
    node.bound_files("0");
    outage.is_told("disk I/O error");
    node.bound_files("unlimited");
    outage.ends_well();
}

/// The store is killed while it refuses: what it took until then is on the disk, and it opens again.
#[test]
fn what_was_acknowledged_before_the_files_were_full_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let data = data.to_str().unwrap();
    let mut node = Node::embedded(&["--data", data]);
    let api = node.api("default");
    api.push(guests::EXAMPLE_ADD);
    let log = folder.path().join("store/mogbox.db-wal");
    node.bound_files(&(log.metadata().unwrap().len() + (512 << 10)).to_string());
    let later = json!({ "name": "example.add", "args": [1, 2], "delay_ms": 3_600_000 });
    let submit = |_| Some(api.post("/v1/requests", &later)).filter(|answer| answer.status == 202);
    let taken: Vec<String> = (0..10_000).map_while(submit).map(|answer| answer.body["id"].as_str().unwrap().to_owned()).collect();
    assert!((1..10_000).contains(&taken.len()), "{} were taken", taken.len());
    api.post("/v1/requests", &later).problem(503, "unavailable");
    node.kill();
    let again = Node::embedded(&["--data", data]);
    for id in &taken {
        assert_eq!(again.api("default").request(id)["state"], "PENDING");
    }
    again.answers_ready_with(200);
    assert_eq!(again.api("default").run("example.add", json!([1, 2]))["state"], "SUCCESS");
}

#[test]
fn a_node_does_not_start_in_a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = untold("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o ro tmpfs \"$0\" && exec \"$@\""]).arg(folder.path());
    command.arg(binary()).args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("store"));
    let error = run(&mut command).failed();
    assert!(error.contains("Read-only file system") && error.contains("give a folder that the node may write to"), "{error}");
}
