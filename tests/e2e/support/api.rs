//! Calls to a node's API.

use std::path::Path;

use serde_json::{Value, json};

/// A client of one node and tenant.
#[derive(Clone)]
pub(crate) struct Api {
    agent: ureq::Agent,
    url: String,
    tenant: String,
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
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        Self { agent, url: url.to_owned(), tenant: tenant.to_owned() }
    }

    fn url(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{}{path}{separator}tenant={}", self.url, self.tenant)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(self.url(path)).call().unwrap())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.agent.post(self.url(path)).send_json(body).unwrap())
    }

    /// Gets from a node that may be gone: none where nobody answers.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        try_answer(self.agent.get(self.url(path)).call().ok()?)
    }

    /// As [`Self::try_get`].
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        try_answer(self.agent.post(self.url(path)).send_json(body).ok()?)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.agent.patch(self.url(path)).send_json(body).unwrap())
    }

    /// Uploads a module under a name.
    pub(crate) fn upload(&self, name: &str, bytes: &[u8]) -> Answer {
        answer(self.agent.put(self.url(&format!("/v1/modules/{name}"))).send(bytes).unwrap())
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
