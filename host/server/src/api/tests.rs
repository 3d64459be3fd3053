//! The API over real connections, on a real store and broker in a temporary folder. No worker runs: requests stay as they are.

mod access;
mod openapi;
mod operators;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mogbox_core::{Request, RequestId, Tenant, Wanted};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Api, router, serve};
use crate::node::open_api;

struct Served {
    address: SocketAddr,
    api: Api,
    folder: TempDir,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = mogbox_core::Limits { metadata: 1_000, module: 1_000, depth: 3, ..Default::default() };
        let api = open_api(folder.path(), limits).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router(api.clone()), api.stopping.clone()));
        Self { address, api, folder }
    }

    /// Sends text as it is and reads the answer to its end.
    async fn raw(&self, text: impl Into<Vec<u8>>) -> String {
        let (address, text) = (self.address, text.into());
        let talk = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            // The node may answer and close before it has read everything.
            let _ = stream.write_all(&text);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::task::spawn_blocking(talk).await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer = self.raw(head + &body).await;
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn submit(&self) -> RequestId {
        let (status, body) = self.call("POST", "/v1/requests", &json!({"name": "a.b", "args": [1], "allow_unknown": true})).await;
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().unwrap().parse().unwrap()
    }

    /// Puts a child of `stack` into the store.
    async fn child(&self, stack: &[RequestId]) -> RequestId {
        let mut request = Request::new("a.b".parse().unwrap());
        request.stack = stack.to_vec();
        let id = request.id;
        assert!(self.api.results.create(&Tenant::default(), &request, jiff::Timestamp::now()).await.unwrap());
        id
    }

    async fn state(&self, id: RequestId) -> String {
        let (_, body) = self.call("GET", &format!("/v1/requests/{id}"), &Value::Null).await;
        body["state"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_read_back_as_it_was_submitted() {
    let served = Served::start().await;
    let id = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2";
    let new = json!({"name": "a.b", "args": [1.50, "x"], "metadata": {"k": [null]}, "id": id, "allow_unknown": true});
    assert_eq!(served.call("POST", "/v1/requests", &new).await.0, 202);
    let (status, read) = served.call("GET", &format!("/v1/requests/{id}"), &Value::Null).await;
    assert_eq!((status, &read["state"], &read["metadata"]), (200, &json!("PENDING"), &json!({"k": [null]})));
    let (_, partial) = served.call("GET", &format!("/v1/requests/{id}?fields=children"), &Value::Null).await;
    assert_eq!((&partial["children"], partial.get("metadata")), (&json!([]), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_stored_all_or_none_whatever_the_key() {
    let served = Served::start().await;
    let path = format!("/v1/requests/{}/metadata", served.submit().await);
    assert_eq!(served.call("PUT", &format!("{path}/a%2Fb%20c"), &json!([1])).await.0, 204);
    assert_eq!(served.call("GET", &format!("{path}/a%2Fb%20c"), &Value::Null).await, (200, json!([1])));
    let (status, problem) = served.call("PATCH", &path, &json!({"small": 1, "large": "x".repeat(1_001)})).await;
    assert_eq!((status, &problem["code"]), (413, &json!("over-bound")), "{problem}");
    assert_eq!(served.call("GET", &path, &Value::Null).await.1, json!({"a/b c": [1]}));
    assert_eq!(served.call("GET", &format!("{path}/small"), &Value::Null).await.1["code"], "metadata-not-found");
    assert_eq!(served.call("GET", &format!("{path}/%00"), &Value::Null).await.1["code"], "invalid-name");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_a_request_revokes_what_is_below_it_and_nothing_else() {
    let served = Served::start().await;
    let (root, stranger) = (served.submit().await, served.submit().await);
    let child = served.child(&[root]).await;
    let grandchild = served.child(&[root, child]).await;
    let (status, done) = served.call("POST", &format!("/v1/requests/{root}/revoke"), &Value::Null).await;
    assert_eq!((status, done), (200, json!({"id": root, "state": "REVOKED", "revoked": 3, "complete": true})));
    for id in [root, child, grandchild] {
        assert_eq!(served.state(id).await, "REVOKED");
    }
    assert_eq!(served.state(stranger).await, "PENDING");
    // What is final already keeps its descendants.
    let late = served.child(&[root]).await;
    let (_, again) = served.call("POST", &format!("/v1/requests/{root}/revoke"), &Value::Null).await;
    assert_eq!((&again["revoked"], served.state(late).await.as_str()), (&json!(0), "PENDING"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_deeper_than_the_bound_is_revoked_down_to_it_and_the_answer_says_so() {
    let served = Served::start().await;
    let mut stack = vec![served.submit().await];
    for _ in 0..4 {
        stack.push(served.child(&stack).await);
    }
    let (_, done) = served.call("POST", &format!("/v1/requests/{}/revoke", stack[0]), &Value::Null).await;
    assert_eq!((&done["revoked"], &done["complete"]), (&json!(4), &json!(false)));
    assert_eq!(served.state(stack[4]).await, "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_when_the_request_does() {
    let served = Served::start().await;
    let id = served.submit().await;
    let started = Instant::now();
    let (path, revoke) = (format!("/v1/requests/{id}/wait?seconds=60"), format!("/v1/requests/{id}/revoke"));
    let wait = served.call("GET", &path, &Value::Null);
    let (waited, _) = tokio::join!(wait, served.call("POST", &revoke, &Value::Null));
    assert_eq!(waited.1["state"], "REVOKED");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_when_the_node_stops_and_the_connection_is_answered() {
    let served = Served::start().await;
    let id = served.submit().await;
    let waiting = format!("/v1/requests/{id}/wait?seconds=60");
    let stop = async {
        // The call before this one is answered by the same node, so that the wait has begun or is told to end at once.
        served.state(id).await;
        served.api.stopping.cancel();
    };
    let (waited, ()) = tokio::join!(served.call("GET", &waiting, &Value::Null), stop);
    assert_eq!((waited.0, &waited.1["state"]), (200, &json!("PENDING")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_finds_nothing_and_changes_nothing() {
    let served = Served::start().await;
    let id = served.submit().await;
    let calls = [("GET", ""), ("GET", "/wait"), ("POST", "/revoke"), ("GET", "/metadata"), ("GET", "/metadata/k"), ("PATCH", "/metadata")];
    for (method, rest) in calls {
        let (status, problem) = served.call(method, &format!("/v1/requests/{id}{rest}?tenant=eve"), &json!({})).await;
        assert_eq!((status, &problem["code"]), (404, &json!("request-not-found")), "{method} {rest}: {problem}");
    }
    assert_eq!(served.state(id).await, "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_newest_first_to_their_tenant_alone() {
    let served = Served::start().await;
    for reason in ["old", "new"] {
        served.submit().await;
        let taken = served.api.broker.receive(&Wanted::any(1), Duration::from_secs(10)).await.unwrap().remove(0);
        served.api.broker.settle(&[taken.reject(reason.to_owned(), Duration::ZERO)]).await.unwrap();
    }
    let (status, list) = served.call("GET", "/v1/dead-letters", &Value::Null).await;
    let letters = list["dead_letters"].as_array().unwrap();
    assert_eq!((status, letters.len(), &list["left_off"]), (200, 2, &json!(0)), "{list}");
    assert_eq!((&letters[0]["reason"], &letters[1]["reason"], &letters[0]["queue"]), (&json!("new"), &json!("old"), &json!("tasks")));
    assert!(letters[0]["body"].as_str().unwrap().contains("a.b"), "{list}");
    let (_, newest) = served.call("GET", "/v1/dead-letters?most=1", &Value::Null).await;
    assert_eq!(newest["dead_letters"], json!([letters[0]]));
    let (_, strangers) = served.call("GET", "/v1/dead-letters?tenant=eve", &Value::Null).await;
    assert_eq!(strangers["dead_letters"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_of_its_own_media_type() {
    let served = Served::start().await;
    let calls = [
        ("GET", "/v2", 404, "no-such-route"),
        ("DELETE", "/v1/modules", 405, "method-not-allowed"),
        ("GET", "/v1/requests/7", 400, "invalid-name"),
        ("GET", "/v1/requests/%ff", 400, "invalid-name"),
        ("GET", "/v1/modules/..%2F..", 400, "invalid-name"),
        ("GET", "/v1/modules?tenant=a%7Bb", 400, "invalid-name"),
        ("GET", "/v1/modules/none", 404, "module-not-found"),
        ("POST", "/v1/modules/none/roll-back", 404, "module-not-found"),
        ("POST", "/v1/requests", 400, "malformed-body"),
        ("GET", "/v1/dead-letters?most=1001", 400, "malformed-query"),
        ("GET", "/v1/requests/9b09b78c-688f-4d40-b7ba-1a1fb10215e2/wait?seconds=soon", 400, "malformed-query"),
        ("GET", "/v1/requests/9b09b78c-688f-4d40-b7ba-1a1fb10215e2?fields=all", 400, "malformed-query"),
    ];
    for (method, path, status, code) in calls {
        let answer = served.raw(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {answer}");
        assert!(answer.contains("content-type: application/problem+json") && answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_may_not_carry_is_refused_with_what_it_may() {
    let served = Served::start().await;
    let with = |more: Value| {
        let mut body = json!({"name": "a.b", "allow_unknown": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let cases = [
        (json!({"priority": 11}), 422, "expected 0 to 10"),
        (json!({"delay_ms": 10_000_000_000_u64}), 422, "14 days"),
        (json!({"args": ["x".repeat(2 << 20)]}), 413, "over the bound arguments"),
        (json!({"metadata": {"k": "x".repeat(1_001)}}), 413, "over the bound metadata"),
        (json!({"allow_unknown": false}), 422, "mogbox push"),
        (json!({"deadline": "soon"}), 400, "PT30S"),
        (json!({"queue": "a b"}), 400, "a b"),
        (json!({"argss": []}), 400, "argss"),
    ];
    for (more, status, text) in cases {
        let (answered, problem) = served.call("POST", "/v1/requests", &with(more)).await;
        assert!(answered == status && problem["detail"].as_str().unwrap().contains(text), "{answered} {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_over_its_bound_is_refused_before_it_is_sent() {
    let served = Served::start().await;
    let head = "PUT /v1/modules/m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let answer = served.raw(format!("{head}Expect: 100-continue\r\nContent-Length: 1000000000000\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("over the bound module of 1000B"), "{answer}");
    let chunk = format!("{:x}\r\n{}\r\n", 2_000, "x".repeat(2_000));
    let answer = served.raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_drains_is_alive_and_not_ready() {
    let served = Served::start().await;
    assert_eq!(served.call("GET", "/readyz", &Value::Null).await, (200, json!({"status": "ok"})));
    served.api.draining.cancel();
    assert_eq!(served.call("GET", "/readyz", &Value::Null).await.1["code"], "not-ready");
    assert_eq!(served.call("GET", "/healthz", &Value::Null).await, (200, json!({"status": "ok"})));
}
