//! An embedded store whose disk is full or read-only.

use std::fs::File;
use std::io::{ErrorKind, Write as _};

use super::Outlived;
use crate::support::{Node, binary, run, untold};

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

#[test]
fn a_node_does_not_start_in_a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = untold("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o ro tmpfs \"$0\" && exec \"$@\""]).arg(folder.path());
    command.arg(binary()).args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("store"));
    let error = run(&mut command).failed();
    assert!(error.contains("Read-only file system") && error.contains("give a folder that the node may write to"), "{error}");
}
