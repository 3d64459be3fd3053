//! The README's tour, run block by block as it is written.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use mogbox_fixtures::{RabbitServer, RedisServer};

use crate::support::{Node, binary, guests, repository, run, untold};

/// The fenced blocks of a part of the README, each with its language.
fn blocks(from: &str, to: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let part = text.split(from).nth(1).unwrap().split(to).next().unwrap();
    let fenced = part.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').map(|(language, body)| (language.to_owned(), body.to_owned())).unwrap()).collect()
}

#[test]
fn the_tour_runs_as_it_is_written() {
    let mut script = String::from("set -euo pipefail\n");
    let tour = blocks("Everything below happens in a second terminal", "### The same from Python");
    for (language, body) in tour.into_iter().chain(blocks("## Many tenants", "## Bounds")) {
        match language.as_str() {
            "sh" => script.push_str(&body),
            "toml" => writeln!(script, "cat >>Cargo.toml <<'END'\n{body}END").unwrap(),
            "rust" => writeln!(script, "cat >src/lib.rs <<'END'\n{body}END").unwrap(),
            other => panic!("a block of {other}"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let node = Node::embedded(&[]);
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut tour = untold("bash");
    tour.args(["-c", &script]).current_dir(folder.path()).env("PATH", path);
    tour.env("TMPDIR", folder.path()).env("MOGBOX_CLONE", repository()).env("MOGBOX_SERVER", node.url());
    // The tour's crate is built as a user's would be: by a cargo that nobody told anything.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO") && name != "CARGO_HOME") {
        tour.env_remove(name);
    }
    let output = run(&mut tour);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, 0, "{said}");
    for text in
        ["Hello Ada, says dol", "refused, as it should be", "over the bound metadata-keys of 128", "reviewed_by", "revoked", "MiB s"]
    {
        assert!(said.contains(text), "{text:?} is missing: {said}");
    }
}

#[test]
fn the_python_part_of_the_tour_runs_as_it_is_written() {
    let (redis, rabbit) = (RedisServer::start().unwrap(), RabbitServer::start().unwrap());
    let node = Node::redis(&redis.url(), &["--amqp", &rabbit.url(), "--app", "demo"]);
    node.api("demo").push(guests::EXAMPLE_METADATA);
    let (_, program) = blocks("### The same from Python", "## What holds").into_iter().find(|(language, _)| language == "python").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.py");
    std::fs::write(&file, program).unwrap();
    let said = run(python().arg(Path::new(&file)).args([&redis.url(), &rabbit.url(), "demo.set_metadata", "dkl"])).ok();
    assert_eq!(said.trim(), "This task is now by @dkl {'user_id': 'dkl'}");
}

/// The interpreter that has the real client installed.
pub(crate) fn python() -> Command {
    Command::new(std::env::var("PYTHON").expect("PYTHON names the interpreter with the mognet package: run 'make test'"))
}
