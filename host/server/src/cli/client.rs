//! Calls of the API, one at a time, with errors that name the way out. Knows the API's paths and bodies, not what is shown.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use mogbox_core::tokens::Token;
use mogbox_core::{QueueName, RequestId, Tenant};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Request, Response};
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::api::{Problem, signature};

/// Bytes of an answer: the largest value, with all metadata and the longest log.
const MAX_ANSWER: u64 = 256 << 20;

/// Time to connect.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Time of a call; longer than the node lets any of its own take.
const CALL_TIME: Duration = Duration::from_secs(180);

/// Time of an upload: the node may compile for ten minutes, and others before.
const UPLOAD_TIME: Duration = Duration::from_secs(1_200);

/// A node to talk to, as a tenant.
pub(crate) struct Client {
    agent: Agent,
    server: String,
    tenant: Option<Tenant>,
    token: Option<Token>,
}

impl Client {
    /// A client of the node at this address. Nothing is sent yet.
    pub(crate) fn new(server: &str, tenant: Option<Tenant>, token: Option<Token>) -> anyhow::Result<Self> {
        let server = server.trim_end_matches('/').to_owned();
        let host = server.strip_prefix("http://").filter(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ']));
        if host.is_none() {
            bail!("invalid address of a node {server:?}: expected one such as http://127.0.0.1:7777");
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_global(Some(CALL_TIME))
            .max_redirects(0)
            .proxy(None)
            .build();
        Ok(Self { agent: config.into(), server, tenant, token })
    }

    /// Reads something.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<T> {
        parse(&self.call("GET", path, query, ())?)
    }

    /// Sends JSON and reads the answer.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)], body: &impl Serialize) -> anyhow::Result<T> {
        parse(&self.call("POST", path, query, serde_json::to_string(body)?.as_str())?)
    }

    /// Removes something and reads what was removed.
    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<T> {
        parse(&self.call("DELETE", path, query, ())?)
    }

    /// Sends JSON to something that answers nothing.
    pub(crate) fn patch(&self, path: &str, body: &impl Serialize) -> anyhow::Result<()> {
        self.call("PATCH", path, &[], serde_json::to_string(body)?.as_str()).map(drop)
    }

    /// Sends JSON that changes something, and reads what that is then.
    pub(crate) fn change<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        parse(&self.call("PATCH", path, &[], serde_json::to_string(body)?.as_str())?)
    }

    /// Sends bytes as they are read, with the text of a signature or without, and reads the answer.
    pub(crate) fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        size: u64,
        signature: Option<&str>,
        reader: &mut dyn Read,
    ) -> anyhow::Result<T> {
        let request = self.request("PUT", path, query)?.header("content-length", size).header("expect", "100-continue");
        let request = match signature {
            Some(text) => request.header(signature::HEADER, signature::header_value(text)),
            None => request,
        };
        let request = self.agent.configure_request(request.body(SendBody::from_reader(reader))?);
        let answer = self.agent.run(request.timeout_global(Some(UPLOAD_TIME)).build());
        parse(&self.read(answer)?)
    }

    fn call(&self, method: &str, path: &str, query: &[(&str, &str)], body: impl AsSendBody) -> anyhow::Result<Vec<u8>> {
        let request = self.request(method, path, query)?.header("content-type", "application/json");
        self.read(self.agent.run(request.body(body)?))
    }

    fn request(&self, method: &str, path: &str, query: &[(&str, &str)]) -> anyhow::Result<ureq::http::request::Builder> {
        let tenant = self.tenant.as_ref().map(|tenant| ("tenant", tenant.as_str()));
        let pairs: Vec<_> = tenant.iter().chain(query).map(|(key, value)| format!("{key}={}", encode(value))).collect();
        let separator = if pairs.is_empty() { "" } else { "?" };
        let request = Request::builder().method(method).uri(format!("{}{path}{separator}{}", self.server, pairs.join("&")));
        Ok(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    fn read(&self, answer: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Vec<u8>> {
        let mut answer = answer.map_err(|error| self.explain(error))?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(|error| self.explain(error))?;
        if answer.status().is_success() {
            return Ok(body);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(Refused(problem).into()),
            Err(_) => Err(anyhow!("{} answered {} and is no Mogbox node: check --server", self.server, answer.status())),
        }
    }

    fn explain(&self, error: ureq::Error) -> anyhow::Error {
        let server = &self.server;
        match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                anyhow!("no node answers at {server}: start one with `mogbox serve`, or name another with --server URL")
            }
            ureq::Error::HostNotFound => anyhow!("no such host as in {server}: check --server"),
            ureq::Error::Timeout(_) => anyhow!(error).context(format!("the node at {server} does not answer in time: see {server}/readyz")),
            other => anyhow!(other).context(format!("the call to {server} failed")),
        }
    }
}

/// The node refused a call.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail)]
pub(crate) struct Refused(pub(super) Problem);

/// Whether a call that failed may have been carried out all the same: it broke off, or the node could not end it.
pub(crate) fn may_have_arrived(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Refused>() {
        Some(Refused(problem)) => problem.status >= 500,
        None => error.downcast_ref::<ureq::Error>().is_some(),
    }
}

/// The same error, with what to do about it. A refusal stays one.
pub(crate) fn with_advice(error: anyhow::Error, advice: &str) -> anyhow::Error {
    match error.downcast::<Refused>() {
        Ok(Refused(problem)) => Refused(Problem { detail: format!("{}; {advice}", problem.detail), ..problem }).into(),
        Err(error) => anyhow!("{error:#}; {advice}"),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(body).context("the node's answer makes no sense to this version of the command line")
}

/// The path of a request.
pub(crate) fn request_path(id: RequestId, rest: &str) -> String {
    format!("/v1/requests/{id}{rest}")
}

/// The path of a tenant.
pub(crate) fn tenant_path(name: &Tenant) -> String {
    format!("/v1/tenants/{name}")
}

/// The path of a module.
pub(crate) fn module_path(name: &str, rest: &str) -> String {
    format!("/v1/modules/{}{rest}", encode(name))
}

/// The path of a queue.
pub(crate) fn queue_path(name: &QueueName, rest: &str) -> String {
    format!("/v1/queues/{name}{rest}")
}

/// Text as a part of a path or query.
pub(crate) fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_means_something_in_a_path_is_encoded() {
        assert_eq!(encode("a-b_c.1~"), "a-b_c.1~");
        assert_eq!(encode("a/b?c#d%e f&ü"), "a%2Fb%3Fc%23d%25e%20f%26%C3%BC");
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example() {
        for bad in ["", "127.0.0.1:7777", "https://localhost", "http://", "http://localhost/v1", "http://local host"] {
            let error = Client::new(bad, None, None).err().unwrap().to_string();
            assert!(error.contains("http://127.0.0.1:7777"), "{error}");
        }
        assert!(Client::new("http://localhost:7777/", None, None).is_ok());
    }

    #[test]
    fn a_node_that_does_not_run_is_named_with_the_way_to_start_one() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = Client::new(&format!("http://127.0.0.1:{port}"), None, None).unwrap();
        let error = client.get::<serde_json::Value>("/v1/modules", &[]).unwrap_err().to_string();
        assert!(error.starts_with("no node answers at http://127.0.0.1:") && error.contains("`mogbox serve`"), "{error}");
    }
}
