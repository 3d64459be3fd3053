//! HTTP requests that tasks send, from a real node to a real server on this machine.

mod server;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Api, Node, guests};
pub(crate) use server::Server;

/// What lets tasks reach servers of this machine.
pub(crate) const TO_THIS_MACHINE: [&str; 3] = ["--allow-http", "http://127.0.0.1:*", "--allow-http-private"];

/// A node with these options, and a client of a tenant that has the tasks.
fn node(options: &[&str]) -> (Node, Api) {
    let node = Node::embedded(&[&["--concurrency", "16"], options].concat());
    let api = node.api("web");
    api.push(guests::GUEST_WEB);
    (node, api)
}

/// The node that most tests share.
fn shared() -> Api {
    static NODE: OnceLock<(Node, Api)> = OnceLock::new();
    NODE.get_or_init(|| node(&TO_THIS_MACHINE)).1.clone()
}

/// The node on which every host is allowed, and no private address is.
fn public_only() -> Api {
    static NODE: OnceLock<(Node, Api)> = OnceLock::new();
    NODE.get_or_init(|| node(&["--allow-http", "http://*:*", "--allow-http", "https://*"])).1.clone()
}

/// A request of a task that went well.
#[track_caller]
fn done(api: &Api, task: &str, args: Value) -> Value {
    let request = api.run(task, args);
    assert_eq!(request["state"], "SUCCESS", "{request}");
    request
}

/// The one request in a receipt.
#[track_caller]
fn only_call(request: &Value) -> &Value {
    let http = &request["report"]["receipt"]["http"];
    assert_eq!((http["requests"].as_u64(), http["calls"].as_array().unwrap().len()), (Some(1), 1), "{http}");
    &http["calls"][0]
}

/// What was logged, with what else is known of it.
fn logged(request: &Value) -> String {
    request["report"]["log"].to_string()
}

#[test]
fn a_request_that_a_rule_allows_is_sent_and_answered() {
    let (api, server) = (shared(), Server::start());
    let args = json!([server.url("/echo?a=b"), "POST", { "x-token": "t0ken", "accept": "*/*" }, "hello"]);
    let request = done(&api, "web.fetch", args);
    let answer = &request["value"];
    assert_eq!((&answer["status"], &answer["headers"]["x-server"]), (&json!(200), &json!("test")), "{answer}");
    let heard = answer["body"].as_str().unwrap();
    let host = format!("host: {}\r\n", server.authority());
    for part in ["POST /echo?a=b HTTP/1.1\r\n", "x-token: t0ken\r\n", "content-length: 5\r\n", &host, "\r\n\r\nhello"] {
        assert!(heard.contains(part), "{part:?} is not in {heard:?}");
    }
    assert_eq!(heard.split("\r\n").count(), 7, "nothing else is said: {heard:?}");
    let call = only_call(&request);
    assert_eq!((&call["method"], &call["host"], &call["status"]), (&json!("POST"), &json!(server.authority()), &json!(200)), "{call}");
    assert!(call["bytes_out"].as_u64() >= Some(5) && call["bytes_in"].as_u64() >= Some(heard.len() as u64), "{call}");
    assert!(!request["report"].to_string().contains("t0ken"), "headers are nobody's business");
}

#[test]
fn a_body_of_many_pieces_comes_whole_both_ways() {
    let (api, server) = (shared(), Server::start());
    let body = "0123456789".repeat(50_000);
    let answer = done(&api, "web.fetch", json!([server.url("/echo"), "PUT", {}, body]))["value"].clone();
    assert!(answer["body"].as_str().is_some_and(|heard| heard.ends_with(&body)), "{}", answer["status"]);
    assert_eq!(done(&api, "web.fetch", json!([server.url("/chunked")]))["value"]["body"], "abc".repeat(10_000));
}

#[test]
fn without_a_rule_nothing_is_sent_and_the_log_says_why() {
    let (_node, api) = node(&[]);
    let server = Server::start();
    let request = done(&api, "web.fetch", json!([server.url("/")]));
    assert!(request["value"]["error"].as_str().unwrap().contains("HttpRequestDenied"), "{}", request["value"]);
    let log = logged(&request);
    assert!(log.contains("may send no HTTP requests") && log.contains("an operator can allow it"), "{log}");
    assert_eq!(only_call(&request)["error"], "denied");
    assert_eq!(server.requests(), 0);
}

#[test]
fn what_no_rule_allows_is_not_sent() {
    let server = Server::start();
    let rule = format!("GET,HEAD http://127.0.0.1:{}", server.port());
    let (_node, api) = node(&["--allow-http", &rule, "--allow-http-private"]);
    assert_eq!(done(&api, "web.fetch", json!([server.url("/")]))["value"]["status"], 200);
    let sent = server.requests();
    let other = Server::start();
    for args in [
        json!([server.url("/"), "POST"]),
        json!([server.url("/"), "get"]),
        json!([other.url("/")]),
        json!([server.url("/").replace("http:", "https:")]),
        json!([server.url("/").replace("127.0.0.1", "localhost")]),
        json!([server.url("/").replace("127.0.0.1", "127.0.0.2")]),
        json!([server.url("/").replace("127.0.0.1", "[::ffff:127.0.0.1]")]),
    ] {
        let request = done(&api, "web.fetch", args.clone());
        assert!(
            request["value"]["error"].as_str().is_some_and(|error| error.contains("HttpRequestDenied")),
            "{args}: {}",
            request["value"]
        );
        assert!(logged(&request).contains("no rule of this tenant allows"), "{}", logged(&request));
    }
    assert_eq!((server.requests(), other.requests()), (sent, 0));
}

#[test]
fn a_redirect_is_followed_by_the_task_alone_and_checked_again() {
    let (inside, server) = (Server::start(), Server::start());
    let rule = format!("http://127.0.0.1:{}", server.port());
    let (_node, api) = node(&["--allow-http", &rule, "--allow-http-private"]);
    let followed = done(&api, "web.follow", json!([server.url(&format!("/redirect?{}", server.url("/echo")))]));
    assert_eq!(followed["value"]["status"], 200);
    assert_eq!(followed["report"]["receipt"]["http"]["requests"], 2);
    let sent = done(&api, "web.follow", json!([server.url(&format!("/redirect?{}", inside.url("/secrets")))]));
    assert!(sent["value"]["error"].as_str().is_some_and(|error| error.contains("HttpRequestDenied")), "{}", sent["value"]);
    let calls = &sent["report"]["receipt"]["http"]["calls"];
    assert_eq!((&calls[0]["status"], &calls[1]["error"]), (&json!(302), &json!("denied")), "{calls}");
    assert_eq!(inside.requests(), 0);
}

#[test]
fn addresses_of_the_node_and_its_network_are_refused_in_any_notation_where_every_host_is_allowed() {
    let (api, server) = (public_only(), Server::start());
    let port = server.port();
    let hosts = [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
        "0",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "255.255.255.255",
        "224.0.0.1",
        "[::]",
        "[::127.0.0.1]",
    ];
    for host in hosts {
        let request = done(&api, "web.fetch", json!([format!("http://{host}:{port}/")]));
        let error = request["value"]["error"].as_str().unwrap_or_default();
        assert!(error.contains("HttpRequestDenied"), "{host}: {}", request["value"]);
        let log = logged(&request);
        assert!(log.contains("not of the public internet") && log.contains("an operator can allow it"), "{host}: {log}");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let (api, server) = (shared(), Server::start());
    let with_user = server.url("/").replace("//", "//user:hunter2@");
    let request = done(&api, "web.fetch", json!([with_user]));
    assert!(request["value"]["error"].as_str().unwrap().contains("no user name or password"), "{}", request["value"]);
    assert!(!request["report"].to_string().contains("hunter2"), "{}", request["report"]);
    for method in ["CONNECT", "TRACE"] {
        let request = done(&api, "web.fetch", json!([server.url("/"), method]));
        assert!(logged(&request).contains(&format!("the method {method} is open to no task")), "{}", logged(&request));
    }
    for url in ["ftp://127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1:99999/", "http:///"] {
        let answer = done(&api, "web.fetch", json!([url]))["value"].clone();
        assert!(answer["error"].is_string(), "{url}: {answer}");
    }
    assert_eq!(done(&api, "web.forbidden_headers", json!([]))["value"], json!([]));
    assert_eq!(server.requests(), 0);
}

#[test]
fn an_answer_over_the_bound_on_bytes_is_given_up_and_the_bound_named() {
    let server = Server::start();
    let (_node, api) = node(&[&TO_THIS_MACHINE[..], &["--limit", "http-bytes=64KiB"]].concat());
    for path in ["/large", "/endless-body"] {
        let request = done(&api, "web.fetch", json!([server.url(path)]));
        let error = request["value"]["error"].as_str().unwrap();
        assert!(error.contains("over the bound http-bytes of 64KiB") && error.contains("--limit http-bytes=VALUE"), "{path}: {error}");
        assert_eq!(only_call(&request)["error"], "over-bound");
    }
    let sent = done(&api, "web.fetch", json!([server.url("/echo"), "POST", {}, "x".repeat(70_000)]));
    assert!(sent["value"]["error"].as_str().unwrap().contains("over the bound http-bytes of 64KiB"), "{}", sent["value"]);
    let error = done(&api, "web.fetch", json!([server.url("/endless-headers")]))["value"]["error"].to_string();
    assert!(error.contains("no answer from 127.0.0.1"), "{error}");
}

#[test]
fn a_server_that_does_not_answer_costs_no_more_than_the_bound_on_time() {
    let server = Server::start();
    let (_node, api) = node(&[&TO_THIS_MACHINE[..], &["--limit", "http-time=300ms"]].concat());
    for path in ["/never", "/drip"] {
        let request = done(&api, "web.fetch", json!([server.url(path)]));
        assert!(request["value"]["error"].as_str().unwrap().contains("HttpResponseTimeout"), "{}", request["value"]);
        assert!(logged(&request).contains("over the bound http-time of 300ms"), "{}", logged(&request));
        let call = only_call(&request);
        assert!(call["error"] == "timeout" && call["ms"].as_u64() >= Some(300), "{call}");
    }
    let patient = done(&shared(), "web.fetch_patiently", json!([server.url("/never"), 50]));
    assert!(patient["value"]["error"].as_str().unwrap().contains("HttpResponseTimeout"), "{}", patient["value"]);
}

#[test]
fn a_task_that_waits_for_an_answer_ends_at_its_deadline() {
    let (api, server) = (shared(), Server::start());
    let id = api.submit_request(&json!({ "name": "web.fetch", "args": [server.url("/never")], "deadline": "PT0.5S" }));
    let request = api.wait(&id);
    assert_eq!((&request["state"], &request["error"]["code"]), (&json!("REVOKED"), &json!("deadline-passed")), "{request}");
    assert_eq!(only_call(&request)["error"], "cut-short");
    server.hung_up("/never");
}

#[test]
fn more_requests_than_the_bound_are_refused_and_the_receipt_lists_the_others() {
    let server = Server::start();
    let (_node, api) = node(&[&TO_THIS_MACHINE[..], &["--limit", "http-requests=3"]].concat());
    let request = done(&api, "web.fetch_often", json!([server.url("/"), 5]));
    let ended: Vec<&str> = request["value"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(ended[..3], ["200"; 3]);
    assert!(ended[3..].iter().all(|error| error.contains("over the bound http-requests of 3")), "{ended:?}");
    let http = &request["report"]["receipt"]["http"];
    assert_eq!((&http["requests"], http["calls"].as_array().unwrap().len()), (&json!(3), 3), "{http}");
    assert_eq!(server.requests(), 3);
}

#[test]
fn a_receipt_lists_a_hundred_requests_and_counts_them_all() {
    let (_node, api) = node(&["--limit", "http-requests=200"]);
    let http = done(&api, "web.fetch_often", json!(["https://example.com/", 150]))["report"]["receipt"]["http"].clone();
    assert_eq!((&http["requests"], http["calls"].as_array().unwrap().len()), (&json!(150), 100));
}

#[test]
fn a_tenant_has_no_more_requests_under_way_than_its_share() {
    let server = Server::start();
    let (_node, api) = node(&[&TO_THIS_MACHINE[..], &["--limit", "http-concurrency=2"]].concat());
    let held: Vec<String> = (0..2).map(|_| api.submit("web.fetch", json!([server.url("/held")]), json!({}))).collect();
    server.wait_for(2);
    let others: Vec<String> = (0..6).map(|_| api.submit("web.fetch", json!([server.url("/held")]), json!({}))).collect();
    for id in &others {
        api.until(id, "started", |request| request["state"] == "RUNNING");
    }
    server.release();
    for id in held.iter().chain(&others) {
        assert_eq!(api.wait(id)["value"]["status"], 200);
    }
    assert_eq!(server.most_at_once(), 2);
}

#[test]
fn a_rule_that_is_none_is_named_when_the_node_starts() {
    let refused = crate::support::mogbox(&["serve", "--allow-http", "GET api.example.com"]).failed();
    assert!(refused.contains("GET api.example.com") && refused.contains("such as GET,POST https://"), "{refused}");
}
