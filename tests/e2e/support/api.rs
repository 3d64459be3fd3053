//! Calls to a node's API.

use std::path::Path;

use serde_json::{Value, json};
use ureq::http::Request;
use ureq::http::request::Builder;

/// A client of one node, for one tenant or whoever its token is for.
#[derive(Clone)]
pub(crate) struct Api {
    agent: ureq::Agent,
    url: String,
    tenant: Option<String>,
    token: Option<String>,
}

/// Status and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer that must be a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// Checks that it is this problem and returns its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> &str {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        self.body["detail"].as_str().unwrap()
    }
}

impl Api {
    pub(crate) fn new(url: &str, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..Self::nobody(url) }
    }

    /// A client that names no tenant and has no token.
    pub(crate) fn nobody(url: &str) -> Self {
        // A node ends a connection whose body it did not read: none is used again.
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_idle_connections(0).build().new_agent();
        Self { agent, url: url.to_owned(), tenant: None, token: None }
    }

    /// A client that has a token, and names no tenant.
    pub(crate) fn holder(url: &str, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::nobody(url) }
    }

    /// The same client, naming a tenant.
    pub(crate) fn naming(&self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self.clone() }
    }

    fn url(&self, path: &str) -> String {
        let Some(tenant) = &self.tenant else { return format!("{}{path}", self.url) };
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{}{path}{separator}tenant={tenant}", self.url)
    }

    fn begin(&self, method: &str, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(self.url(path));
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Any call. Without a body where that is null.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call_with(method, path, body, &[])
    }

    /// Any call, with more headers.
    pub(crate) fn call_with(&self, method: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let request = headers.iter().fold(self.begin(method, path), |request, (name, value)| request.header(*name, *value));
        answer(match body {
            Value::Null => self.agent.run(request.body(()).unwrap()).unwrap(),
            body => self.agent.run(request.body(body.to_string()).unwrap()).unwrap(),
        })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body)
    }

    /// Gets from a node that may be gone: none where nobody answers.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        try_answer(self.agent.run(self.begin("GET", path).body(()).unwrap()).ok()?)
    }

    /// As [`Self::try_get`].
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        try_answer(self.agent.run(self.begin("POST", path).body(body.to_string()).unwrap()).ok()?)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, body)
    }

    /// Uploads a module under a name.
    pub(crate) fn upload(&self, name: &str, bytes: &[u8]) -> Answer {
        answer(self.agent.run(self.begin("PUT", &format!("/v1/modules/{name}")).body(bytes).unwrap()).unwrap())
    }

    /// Uploads a component under the name of its file.
    #[track_caller]
    pub(crate) fn push(&self, component: &str) {
        let name = Path::new(component).file_stem().unwrap().to_str().unwrap();
        self.upload(name, &std::fs::read(component).unwrap()).ok();
    }

    /// Submits a request and returns its id.
    #[track_caller]
    pub(crate) fn submit(&self, task: &str, args: Value, metadata: Value) -> String {
        self.submit_request(&json!({ "name": task, "args": args, "metadata": metadata }))
    }

    /// Submits a request in full and returns its id.
    #[track_caller]
    pub(crate) fn submit_request(&self, request: &Value) -> String {
        let body = self.post("/v1/requests", request).ok();
        body["id"].as_str().unwrap().to_owned()
    }

    /// Everything there is of a request.
    #[track_caller]
    pub(crate) fn request(&self, id: &str) -> Value {
        self.get(&format!("/v1/requests/{id}")).ok()
    }

    /// Waits until a request is final.
    #[track_caller]
    pub(crate) fn wait(&self, id: &str) -> Value {
        for _ in 0..3 {
            let body = self.get(&format!("/v1/requests/{id}/wait?seconds=30")).ok();
            if ["SUCCESS", "FAILURE", "REVOKED", "INVALID"].contains(&body["state"].as_str().unwrap()) {
                return self.request(id);
            }
        }
        panic!("request {id} is not done after 90 s: {}", self.request(id));
    }

    /// Submits a request and waits until it is final.
    #[track_caller]
    pub(crate) fn run(&self, task: &str, args: Value) -> Value {
        self.wait(&self.submit(task, args, json!({})))
    }

    /// Looks at a request again and again until it fits.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let started = std::time::Instant::now();
        loop {
            let request = self.request(id);
            if fits(&request) {
                return request;
            }
            assert!(started.elapsed().as_secs() < 60, "not {what} after 60 s: {request}");
            std::thread::yield_now();
        }
    }
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Answer {
    try_answer(response).unwrap()
}

/// None where the node went away in the middle of its answer.
fn try_answer(mut response: ureq::http::Response<ureq::Body>) -> Option<Answer> {
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().ok()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Some(Answer { status, body })
}
