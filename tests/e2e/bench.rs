//! `mogbox bench`, small: the shape of what it says, never how fast anything was.

use serde_json::Value;

use crate::support::{guests, mogbox};

fn bench(more: &[&str]) -> Vec<String> {
    let small = ["--module", guests::GUEST_BENCH, "--requests", "50", "--concurrency", "4", "--format", "lines"];
    let args = [&["bench"], more, &small].concat();
    mogbox(&args).ok().lines().map(ToOwned::to_owned).collect()
}

/// The value of a line `SUBJECT METRIC VALUE UNIT`, with remarks after a `#`.
fn value(lines: &[String], subject: &str, metric: &str, unit: &str) -> f64 {
    let of = |line: &&String| line.starts_with(&format!("{subject} {metric} "));
    let line = lines.iter().find(of).unwrap_or_else(|| panic!("no {metric} of {subject}: {lines:#?}"));
    let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
    assert_eq!((words.len(), words[3]), (4, unit), "{line}");
    words[2].parse().unwrap()
}

#[test]
fn a_drain_is_told_in_one_line_a_figure() {
    let lines = bench(&["drain", "--backend", "redis", "--backend", "redis@aof", "--repetitions", "2"]);
    for subject in ["mogbox", "mogbox@aof"] {
        assert!(value(&lines, subject, "throughput_with_start", "tasks/s") > 0.0);
        assert!(value(&lines, subject, "redis_bytes_queued", "B/task") > 0.0);
    }
    assert!(lines.iter().any(|line| line.contains("  # min ") && line.ends_with(" reps 2")), "{lines:#?}");
}

#[test]
fn the_embedded_store_is_measured_as_well_and_figures_are_json_where_that_is_asked_for() {
    let args = ["bench", "drain", "--backend", "embedded", "--module", guests::GUEST_BENCH, "--requests", "50", "--json"];
    let told: Value = serde_json::from_str(&mogbox(&args).ok()).unwrap();
    let figures = told["figures"].as_array().unwrap();
    let enqueue = figures.iter().find(|figure| figure["metric"] == "enqueue_bulk").unwrap();
    assert_eq!(enqueue["subject"], "mogbox_embedded");
    assert_eq!(enqueue["values"].as_array().unwrap().len(), 1);
    assert!(enqueue["median"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_way_out() {
    let refused = |args: &[&str]| mogbox(&[&["bench", "drain"], args].concat()).failed();
    let error = refused(&["--module", "/nowhere/noop.wasm"]);
    assert!(error.contains("/nowhere/noop.wasm") && error.contains("make bench"), "{error}");
    let error = refused(&["--module", guests::EXAMPLE_ADD, "--redis", "redis://127.0.0.1:1"]);
    assert!(error.contains("cannot use Redis at redis://127.0.0.1:1"), "{error}");
    let error = refused(&["--module", guests::GUEST_HOSTILE]);
    assert!(error.contains("none of them is bench.noop"), "{error}");
    assert!(refused(&["--module", "x", "--requests", "0"]).contains("0 is not in 1..=10000000"));
}
