//! WASI's HTTP: headers without number, texts of megabytes, bodies without end, requests that are never sent, answers that are never
//! read. What the host holds for one guest stays within its bounds.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::victim::Victim;
use crate::outgoing::{Server, TO_THIS_MACHINE};
use crate::support::guests;

/// A node whose tasks may reach servers of this machine.
fn victim() -> &'static Victim {
    static NODE: OnceLock<Victim> = OnceLock::new();
    NODE.get_or_init(|| {
        let victim = Victim::start(&TO_THIS_MACHINE);
        victim.tenant("web").push(guests::GUEST_WEB);
        victim
    })
}

#[track_caller]
fn ends(task: &str, args: Value, state: &str, text: &str) -> Value {
    victim().task_ends("web", task, args, state, text)
}

#[test]
fn a_million_headers_end_the_attempt_after_the_first_hundreds() {
    assert_eq!(ends("web.many_headers", json!([200]), "SUCCESS", "")["value"], 200);
    ends("web.many_headers", json!([1_000_000]), "FAILURE", "total size of fields exceeds limit");
}

#[test]
fn headers_in_all_the_handles_there_are_stay_within_the_victims_memory() {
    ends("web.many_fields", json!([]), "FAILURE", "no free keys");
}

#[test]
fn methods_hosts_and_paths_of_megabytes_are_not_kept() {
    assert_eq!(ends("web.huge_texts", json!([2 << 20, 100]), "SUCCESS", "")["value"], json!([]));
}

#[test]
fn bodies_that_are_written_and_never_sent_stay_within_the_victims_memory() {
    ends("web.never_sent", json!([]), "FAILURE", "no free keys");
}

#[test]
fn answers_that_are_never_read_stay_within_the_bound_on_bytes() {
    let server = Server::start();
    let request = ends("web.never_read", json!([server.url("/large"), 90]), "SUCCESS", "");
    assert_eq!(request["value"], 15, "of a mebibyte and its headers each, sixteen are over 16MiB");
    assert!(request["report"]["receipt"]["http"]["bytes_in"].as_u64() <= Some(16 << 20));
}

#[test]
fn requests_that_nobody_waits_for_end_with_their_attempt() {
    let server = Server::start();
    let request = ends("web.never_awaited", json!([server.url("/never"), 90]), "SUCCESS", "");
    assert_eq!(request["value"], 90);
    // None of them may have begun before the attempt was over.
    let mut calls = request["report"]["receipt"]["http"]["calls"].as_array().into_iter().flatten();
    assert!(calls.all(|call| call["error"] == "cut-short"), "{}", request["report"]["receipt"]["http"]);
}

#[test]
fn a_body_without_an_end_is_refused_at_the_bound_on_bytes() {
    let server = Server::start();
    let request = ends("web.endless_body", json!([server.url("/")]), "SUCCESS", "");
    let told = request["value"].as_str().unwrap();
    assert!(told.contains("over the bound http-bytes of 16MiB"), "{told}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn bodies_that_are_written_at_the_same_time_share_the_bound_on_bytes() {
    let server = Server::start();
    let taken = ends("web.many_bodies", json!([server.url("/"), 40, 1 << 20]), "SUCCESS", "")["value"].as_u64().unwrap();
    // What is in the pipe of each when it is refused comes on top.
    assert!(((15 << 20)..(20 << 20)).contains(&taken), "{taken}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn writes_of_nothing_end_at_the_bound_on_host_calls() {
    let server = Server::start();
    ends("web.empty_writes", json!([server.url("/")]), "FAILURE", "over the bound host-calls of 100000");
}

#[test]
fn a_length_that_does_not_fit_the_body_is_never_sent() {
    let server = Server::start();
    for (says, body) in [("10", "short"), ("1", "long"), ("-1", "x"), ("+1", "x"), ("18446744073709551616", "x")] {
        let request = ends("web.wrong_length", json!([server.url("/echo"), says, body]), "SUCCESS", "");
        assert!(!request["value"].as_str().unwrap().contains("HTTP/1.1"), "{says}: {}", request["value"]);
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_request_says_nothing_but_what_it_is() {
    let server = Server::start();
    let request = ends("web.smuggle", json!([server.url("/")]), "SUCCESS", "");
    let came: Vec<&str> = request["value"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(came.iter().all(|one| one.contains("HttpRequestDenied") || one.contains("HttpRequestUriInvalid")), "{came:?}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_redirect_to_where_clouds_keep_their_secrets_is_not_followed_anywhere() {
    let server = Server::start();
    for secrets in
        ["http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/", "http://2852039166/"]
    {
        let request = ends("web.follow", json!([server.url(&format!("/redirect?{secrets}"))]), "SUCCESS", "");
        let error = request["value"]["error"].as_str().unwrap_or_default();
        assert!(error.contains("HttpRequestDenied"), "{secrets}: {}", request["value"]);
    }
}
