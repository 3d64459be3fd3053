//! A node with two tenants: one that tries to reach the other, and that other, which has something of everything.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::operations::Names;
use crate::support::{Api, Node, guests};

/// The tenant that tries.
pub(super) const TRYING: &str = "anna";

/// The tenant that has.
pub(super) const HAVING: &str = "bert";

/// All that a tenant's token can be good for.
pub(super) const ALL_SCOPES: [&str; 3] = ["read", "submit", "upload"];

/// In arguments, values, metadata and names of the tenant that has: nobody else may see it.
pub(super) const MARK: &str = "only-berts";

/// A node that asks for tokens, with its operator.
pub(super) struct Closed {
    pub(super) node: Node,
    pub(super) operator: Api,
    pub(super) operator_token: String,
}

impl Closed {
    pub(super) fn start(options: &[&str]) -> Self {
        Self::close(Node::embedded(options))
    }

    /// Makes the first token of a node.
    pub(super) fn close(node: Node) -> Self {
        let made = Api::nobody(node.url()).post("/v1/tokens", &json!({ "admin": true })).ok();
        let operator_token = made["token"].as_str().unwrap().to_owned();
        Self { operator: Api::holder(node.url(), &operator_token), node, operator_token }
    }

    /// Makes a tenant, with what is laid down for it, and a token for it.
    #[track_caller]
    pub(super) fn tenant(&self, name: &str, mut record: Value) -> Api {
        record["name"] = json!(name);
        self.operator.post("/v1/tenants", &record).ok();
        Api::holder(self.node.url(), &self.token(name, &ALL_SCOPES))
    }

    /// Makes a token.
    #[track_caller]
    pub(super) fn token(&self, tenant: &str, scopes: &[&str]) -> String {
        let made = self.operator.post("/v1/tokens", &json!({ "tenant": tenant, "scopes": scopes, "note": format!("{tenant}s") })).ok();
        made["token"].as_str().unwrap().to_owned()
    }
}

/// The node, both tenants, and what one has.
pub(super) struct Pair {
    pub(super) closed: Closed,
    pub(super) trying: Api,
    pub(super) trying_token: String,
    pub(super) having: Api,
    pub(super) names: Names,
    /// Requests, one in each state that lasts.
    pub(super) ids: Vec<String>,
    pub(super) running: String,
}

impl Pair {
    /// The pair that tests share: none changes anything of the one that has.
    pub(super) fn shared() -> &'static Self {
        static PAIR: OnceLock<Pair> = OnceLock::new();
        PAIR.get_or_init(|| Self::on(Node::embedded(&["--concurrency", "8"])))
    }

    /// A pair on this node.
    pub(super) fn on(node: Node) -> Self {
        let closed = Closed::close(node);
        closed.tenant(TRYING, json!({}));
        let trying_token = closed.token(TRYING, &ALL_SCOPES);
        let trying = Api::holder(closed.node.url(), &trying_token);
        trying.upload("shared", &std::fs::read(guests::EXAMPLE_ADD).unwrap()).ok();
        trying.push(guests::GUEST_HOSTILE);
        let having = closed.tenant(HAVING, json!({ "limits": { "in-flight": "2" }, "config": { "region": MARK } }));
        having.upload("shared", &std::fs::read(guests::GUEST_TWIN).unwrap()).ok();
        having.push(guests::GUEST_HOSTILE);
        let module = format!("{MARK}-module");
        let digest = having.upload(&module, &std::fs::read(guests::EXAMPLE_PROGRESS).unwrap()).ok()["digest"].as_str().unwrap().to_owned();
        let (ids, running) = fill(&having);
        let tokens = closed.operator.get("/v1/tokens").ok();
        let token = tokens["tokens"].as_array().unwrap().iter().find(|token| token["tenant"] == HAVING).unwrap();
        let names = Names {
            tenant: HAVING.to_owned(),
            id: running.clone(),
            key: format!("{MARK}-key"),
            module,
            digest,
            task: "twin.echo".to_owned(),
            token: token["id"].as_str().unwrap().to_owned(),
        };
        Self { closed, trying, trying_token, having, names, ids, running }
    }

    pub(super) fn url(&self) -> &str {
        self.closed.node.url()
    }

    /// All that there is of the one that has, as itself and its operator see it.
    pub(super) fn everything(&self) -> Value {
        let mut seen = json!({});
        let of_requests = self.ids.iter().flat_map(|id| ["", "/tree", "/metadata"].map(|rest| format!("/v1/requests/{id}{rest}")));
        let others = ["/v1/modules", "/v1/modules/shared", "/v1/queues", "/v1/dead-letters", "/v1/nodes"].map(ToOwned::to_owned);
        let module = format!("/v1/modules/{}", self.names.module);
        for path in of_requests.chain(others).chain([module]) {
            seen[&path] = self.having.get(&path).ok();
        }
        let usage = self.having.get("/v1/usage?days=1").ok();
        seen["requests used"] = usage["days"][0]["requests"].clone();
        seen["record"] = self.closed.operator.get(&format!("/v1/tenants/{HAVING}")).ok();
        let tokens = self.closed.operator.get("/v1/tokens").ok();
        let its: Vec<&Value> = tokens["tokens"].as_array().unwrap().iter().filter(|token| token["tenant"] == HAVING).collect();
        seen["tokens"] = its.iter().map(|token| token["id"].clone()).collect();
        seen
    }

    /// Every text by which something of the one that has could be known.
    pub(super) fn marks(&self) -> Vec<&str> {
        let texts = self.ids.iter().map(String::as_str);
        texts.chain([MARK, HAVING, &self.names.digest, &self.names.token, "twin."]).collect()
    }
}

/// Requests that are done, failed and in the dead letters, running, waiting with a child, ready and delayed.
fn fill(api: &Api) -> (Vec<String>, String) {
    let metadata = json!({ format!("{MARK}-key"): MARK });
    let submit = |task: &str, args: Value, delay_ms: u64| {
        api.submit_request(&json!({ "name": task, "args": args, "metadata": metadata, "delay_ms": delay_ms }))
    };
    let done = submit("twin.echo", json!([MARK]), 0);
    api.wait(&done);
    let dead = submit("hostile.retry_for_ever", json!([]), 0);
    api.wait(&dead);
    until("a dead letter", || api.get("/v1/dead-letters").ok()["dead_letters"] != json!([]));
    let waiting = submit("twin.run_then_hold", json!(["twin.echo", [MARK]]), 0);
    let waiting_view = api.until(&waiting, "holding", |request| request["metadata"]["went_on"] == true);
    let child = waiting_view["children"][0].as_str().unwrap().to_owned();
    let running = submit("twin.hold", json!([]), 0);
    api.until(&running, "running", |request| request["state"] == "RUNNING");
    // Two are in flight, which is all that it may have.
    let ready = submit("twin.echo", json!([MARK]), 0);
    let delayed = submit("twin.echo", json!([MARK]), 3_600_000);
    until("its usage stored", || api.get("/v1/usage?days=1").ok()["days"][0]["requests"] == json!(3));
    (vec![done, dead, waiting, child, running.clone(), ready, delayed], running)
}

/// Asks again and again until it is so.
#[track_caller]
pub(super) fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed().as_secs() < 60, "no {what} after 60 s");
        std::thread::yield_now();
    }
}
