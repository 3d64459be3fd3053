//! `http`: a call of the API by anybody who reaches it. The input is a call as it would come over a connection, without version:
//! `METHOD PATH`, headers, an empty line, a body.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use mogbox_core::Limits;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "http", run, seeds, short_run: 400 };

/// Calls after which the store begins anew.
const CALLS_A_STORE: u32 = 2_000;

/// Bytes of the longest answer.
const LONGEST: usize = 4 << 20;

/// How long a client waits for what may never come.
const PATIENCE: Duration = Duration::from_millis(20);

thread_local!(static NODE: Node = Node::new());

fn run(data: &[u8]) {
    if let Some(request) = parse(data) {
        NODE.with(|node| node.call(request));
    }
}

/// A node without a worker.
struct Node {
    runtime: Runtime,
    opened: RefCell<(Router, TempDir)>,
    calls: Cell<u32>,
}

impl Node {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let opened = RefCell::new(open(&runtime));
        Self { runtime, opened, calls: Cell::new(1) }
    }

    fn call(&self, request: Request<Body>) {
        if self.calls.replace(self.calls.get() + 1).is_multiple_of(CALLS_A_STORE) {
            *self.opened.borrow_mut() = open(&self.runtime);
        }
        let waits = request.uri().path().ends_with("/wait");
        let router = self.opened.borrow().0.clone();
        self.runtime.block_on(async {
            let answer = router.oneshot(request);
            if waits {
                // Whoever waits longer goes away, which is something that clients do.
                if let Ok(answer) = tokio::time::timeout(PATIENCE, answer).await {
                    check(answer.expect("a router always answers")).await;
                }
            } else {
                check(answer.await.expect("a router always answers")).await;
            }
        });
    }
}

fn open(runtime: &Runtime) -> (Router, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { metadata: 4 << 10, arguments: 4 << 10, module: 64 << 10, ..Limits::default() };
    let router = runtime.block_on(mogbox::api_without_worker(folder.path(), limits)).expect("a node");
    (router, folder)
}

/// Whatever is asked, it is not the node's own fault, and an error says what it is.
async fn check(answer: Response<Body>) {
    let status = answer.status();
    assert!(!status.is_server_error(), "{status}: {:?}", to_bytes(answer.into_body(), LONGEST).await);
    let body = to_bytes(answer.into_body(), LONGEST).await.expect("a bounded answer");
    if status.is_client_error() {
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem is JSON");
        assert!(problem["code"].is_string() && body.len() < 8 << 10, "{problem}");
    } else if status != StatusCode::NO_CONTENT {
        serde_json::from_slice::<serde_json::Value>(&body).expect("an answer is JSON");
    }
}

fn parse(data: &[u8]) -> Option<Request<Body>> {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, path) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let mut builder = Request::builder().method(method).uri(path);
    let mut host: &[u8] = b"localhost";
    for line in lines {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        match name {
            b"host" => host = &value[1..],
            _ => builder = builder.header(name, &value[1..]),
        }
    }
    builder.header("host", host).body(Body::from(body.to_vec())).ok()
}

fn seeds() -> Vec<Vec<u8>> {
    let id = "00112233-4455-6677-8899-aabbccddeeff";
    let submission = format!(
        r#"{{"name":"a.b","args":[1.50,"x"],"kwargs":{{"k":[]}},"metadata":{{"m":null}},"priority":9,"deadline":"PT30S","queue":"q",
        "delay_ms":5,"id":"{id}","allow_unknown":true}}"#
    );
    let mut calls: Vec<Vec<u8>> = [
        format!("POST /v1/requests\ncontent-type:application/json\n\n{submission}"),
        format!("POST /v1/requests?tenant=acme\n\n{submission}"),
        format!("GET /v1/requests/{id}?fields=value,metadata,children,report&tenant=acme"),
        format!("GET /v1/requests/{id}/wait?seconds=0.001&fields="),
        format!("POST /v1/requests/{id}/revoke"),
        format!("GET /v1/requests/{id}/metadata"),
        format!("PATCH /v1/requests/{id}/metadata\n\n{{\"k\":1,\"l\":[{{}}]}}"),
        format!("PUT /v1/requests/{id}/metadata/a%2Fb%20c\n\n[1]"),
        format!("GET /v1/requests/{id}/metadata/a%2Fb%20c"),
        "GET /v1/modules".to_owned(),
        "GET /v1/modules/m".to_owned(),
        format!("POST /v1/modules/m/roll-back\n\n{{\"to\":\"{}\"}}", "0a".repeat(32)),
        "PUT /v1/modules/m\n\n(component)".to_owned(),
        "GET /v1/dead-letters?most=7".to_owned(),
        "GET /healthz\norigin:http://127.0.0.1:7777\nsec-fetch-site:same-origin".to_owned(),
        "GET http://[::1]:80/readyz\nhost:[::1]:80".to_owned(),
    ]
    .map(String::into_bytes)
    .into();
    calls.push([b"PUT /v1/modules/good\n\n".to_vec(), crate::calls::guest(&[])].concat());
    calls
}
