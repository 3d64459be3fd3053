//! `mogbox bench`, small: the shape of what it says, never how fast anything was.

use mogbox_fixtures::RedisServer;
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
fn everything_is_measured_on_the_embedded_store_as_well_and_told_as_json_where_that_is_asked_for() {
    let small = ["--samples", "5", "--load-time", "200ms", "--waiting", "5", "--tenants", "1,3", "--queues", "20,50"];
    let args = ["bench", "--backend", "embedded", "--module", guests::GUEST_BENCH, "--requests", "50", "--concurrency", "4", "--json"];
    let told: Value = serde_json::from_str(&mogbox(&[args.as_slice(), &small].concat()).ok()).unwrap();
    let figures = told["figures"].as_array().unwrap();
    for metric in ["latency_p99_http", "enqueue_bulk", "throughput_with_start", "sustained_p999", "waiting_5_rss", "tenants_3_cost_ratio"] {
        let figure = figures.iter().find(|figure| figure["metric"] == metric).unwrap_or_else(|| panic!("no {metric}: {told:#}"));
        assert_eq!((figure["subject"].as_str(), figure["values"].as_array().unwrap().len()), (Some("mogbox_embedded"), 1));
        assert!(figure["median"].as_f64().unwrap() > 0.0, "{figure}");
    }
}

#[test]
fn a_server_of_somebody_elses_is_left_as_it_was() {
    let server = RedisServer::start().unwrap();
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg("somebody-elses").arg(1).exec(&mut connection).unwrap();
    let small = ["--samples", "5", "--waiting", "5", "--tenants", "1,3", "--queues", "20,50", "--redis", &server.url()];
    let lines = bench(&[&["latency", "enqueue", "memory", "recovery", "tenants", "queue"], small.as_slice()].concat());
    assert!(value(&lines, "mogbox", "latency_p50", "ms") > 0.0);
    assert!(value(&lines, "mogbox", "recovery", "s") > 0.0);
    assert!(value(&lines, "mogbox", "tenants_3_cost_ratio", "x") > 0.0);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let others: Vec<_> = keys.into_iter().filter(|key| key != "mogbox.modules" && key != "mogbox.probe").collect();
    assert_eq!(others, ["somebody-elses"]);
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
