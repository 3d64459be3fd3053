//! Every call of the API, by a tenant that tries to reach another: a call of the node's own description that the table here lacks
//! fails the test. Each is answered as it would be if there were no such tenant, request, module or token at all.

use mogbox_fixtures::RedisServer;
use serde_json::{Value, json};

use super::operations::{Names, Operation, operations};
use super::pair::{Pair, TRYING};
use crate::support::{Answer, Api, Node};

/// What a call must be answered with where the names are another's.
enum Expected {
    /// This problem.
    Problem(u16, &'static str),
    /// What the caller itself has: nothing of the other is seen in it.
    Own(u16),
}

use Expected::{Own, Problem};

/// A way to reach for another's: the call, its body with these names, and the answer.
type Way = (&'static str, fn(&Names) -> Value, Expected);

fn nothing(_: &Names) -> Value {
    Value::Null
}

const NO_REQUEST: Expected = Problem(404, "request-not-found");
const NO_MODULE: Expected = Problem(404, "module-not-found");
const NO_SCOPE: Expected = Problem(403, "scope-missing");

/// Each call as it would be made to get at another's.
const WAYS: &[Way] = &[
    ("GET /v1/modules", nothing, Own(200)),
    ("GET /v1/modules/{name}", nothing, NO_MODULE),
    // What a name is taken by elsewhere is no reason: it is refused for what it is.
    ("PUT /v1/modules/{name}", |_| json!("no component"), Problem(422, "module-refused")),
    ("DELETE /v1/modules/{name}", nothing, NO_MODULE),
    ("POST /v1/modules/{name}/roll-back", nothing, NO_MODULE),
    ("POST /v1/modules/{name}/roll-back", |names| json!({ "to": names.digest }), NO_MODULE),
    ("POST /v1/requests", |names| json!({ "name": names.task }), Problem(422, "unknown-task")),
    ("GET /v1/requests/{id}", nothing, NO_REQUEST),
    ("GET /v1/requests/{id}/wait", nothing, NO_REQUEST),
    ("GET /v1/requests/{id}/tree", nothing, NO_REQUEST),
    ("POST /v1/requests/{id}/revoke", nothing, NO_REQUEST),
    ("GET /v1/requests/{id}/metadata", nothing, NO_REQUEST),
    ("PATCH /v1/requests/{id}/metadata", |names| json!({ names.key.as_str(): "overwritten", "go": true }), NO_REQUEST),
    ("GET /v1/requests/{id}/metadata/{key}", nothing, NO_REQUEST),
    ("PUT /v1/requests/{id}/metadata/{key}", |_| json!("overwritten"), NO_REQUEST),
    ("GET /v1/dead-letters", nothing, Own(200)),
    ("GET /v1/queues", nothing, Own(200)),
    ("DELETE /v1/queues/{queue}/requests", nothing, Own(200)),
    ("GET /v1/nodes", nothing, Own(200)),
    ("GET /v1/usage", nothing, Own(200)),
    ("GET /v1/tenants", nothing, NO_SCOPE),
    ("POST /v1/tenants", |names| json!({ "name": names.tenant }), NO_SCOPE),
    ("GET /v1/tenants/{tenant}", nothing, NO_SCOPE),
    ("PATCH /v1/tenants/{tenant}", |_| json!({ "suspended": true }), NO_SCOPE),
    ("DELETE /v1/tenants/{tenant}", nothing, NO_SCOPE),
    ("GET /v1/tokens", nothing, NO_SCOPE),
    ("POST /v1/tokens", |names| json!({ "tenant": names.tenant, "scopes": ["read"] }), NO_SCOPE),
    ("POST /v1/tokens", |_| json!({ "admin": true }), NO_SCOPE),
    ("DELETE /v1/tokens/{token}", nothing, NO_SCOPE),
    ("GET /v1/openapi.json", nothing, Own(200)),
    ("GET /healthz", nothing, Own(200)),
    ("GET /readyz", nothing, Own(200)),
];

/// The answer, without what differs whoever is meant.
fn without(names: &Names, answer: &Answer) -> (u16, String) {
    (answer.status, names.out_of(&answer.body.to_string()))
}

/// Makes a call with another's names, and with nobody's, and checks that nobody could tell the answers apart.
fn check(pair: &Pair, operation: &Operation, (name, body, expected): &Way, query: &str) {
    let call = |names: &Names| {
        let path = format!("{}{}", operation.path_to(names), query.replace("TENANT", &names.tenant));
        pair.trying.call(&operation.method, &path, &body(names))
    };
    let nobodys = Names::nobodys();
    let (answer, none) = (call(&pair.names), call(&nobodys));
    let told = format!("{name}{query}: {answer:?}, and for what nobody has: {none:?}");
    match (query, &operation.scope, expected) {
        // Another tenant is none at all, whatever else is asked for.
        ("?tenant=TENANT", Some(scope), _) if scope != "admin" => {
            assert_eq!((answer.status, &answer.body["code"]), (404, &json!("tenant-not-found")), "{told}");
        }
        (_, _, Problem(status, code)) => assert_eq!((answer.status, &answer.body["code"]), (*status, &json!(code)), "{told}"),
        (_, _, Own(status)) => {
            assert_eq!(answer.status, *status, "{told}");
            // What the caller runs itself may change between two calls.
            let shown = answer.body.to_string();
            let seen: Vec<_> = pair.marks().into_iter().filter(|mark| shown.contains(mark)).collect();
            assert!(seen.is_empty(), "{seen:?} in {told}");
            assert_eq!(answer.status, none.status, "{told}");
            return;
        }
    }
    assert_eq!(without(&pair.names, &answer), without(&nobodys, &none), "{told}");
}

/// Makes every call that the description tells of, and compares the other tenant before and after.
fn try_everything(pair: &Pair) {
    let before = pair.everything();
    let described = operations(pair.url());
    for operation in &described {
        let these: Vec<&Way> = WAYS.iter().filter(|(name, ..)| *name == operation.name()).collect();
        assert!(!these.is_empty(), "how another tenant may be reached by {} is not in the table: add it", operation.name());
        for way in these {
            check(pair, operation, way, "");
            check(pair, operation, way, "?tenant=TENANT");
        }
    }
    let gone = WAYS.iter().find(|(name, ..)| described.iter().all(|operation| operation.name() != *name));
    assert!(gone.is_none(), "there is no call {}", gone.unwrap().0);
    let after = pair.everything();
    for (what, state) in before.as_object().unwrap() {
        assert_eq!(&after[what], state, "{what} of the other tenant has changed");
    }
}

#[test]
fn no_call_of_the_api_reaches_another_tenant() {
    try_everything(Pair::shared());
}

#[test]
fn no_call_of_the_api_reaches_another_tenant_on_redis() {
    let redis = RedisServer::start().unwrap();
    let pair = Pair::on(Node::redis(&redis.url(), &["--concurrency", "8"]));
    try_everything(&pair);
    take_the_ids(&pair);
}

/// Submits requests of one's own under another's ids, and revokes, changes and empties what is one's own then.
fn take_the_ids(pair: &Pair) {
    let before = pair.everything();
    let held = |request: &str, delay_ms: u64| json!({ "name": "hostile.sleep", "args": [1], "id": request, "delay_ms": delay_ms });
    for id in &pair.ids {
        pair.trying.post("/v1/requests", &held(id, 3_600_000)).ok();
        let own = pair.trying.request(id);
        assert_eq!((&own["name"], &own["state"], &own["metadata"]), (&json!("hostile.sleep"), &json!("PENDING"), &json!({})), "{own}");
        pair.trying.patch(&format!("/v1/requests/{id}/metadata"), &json!({ "go": true, "went_on": false })).ok();
        let revoked = pair.trying.post(&format!("/v1/requests/{id}/revoke?force=true"), &json!({})).ok();
        assert_eq!(revoked["revoked"], 1, "{revoked}");
    }
    pair.trying.call("DELETE", "/v1/queues/tasks/requests", &Value::Null).ok();
    let after = pair.everything();
    for (what, state) in before.as_object().unwrap() {
        assert_eq!(&after[what], state, "{what} of the other tenant has changed");
    }
}

#[test]
fn requests_under_ids_of_another_tenant_are_requests_of_ones_own() {
    take_the_ids(&Pair::on(Node::embedded(&["--concurrency", "8"])));
}

#[test]
fn a_module_of_the_same_name_is_each_tenants_own() {
    let pair = Pair::shared();
    assert_eq!(pair.trying.run("example.add", json!([1, 2]))["value"], 3.0);
    let version = |api: &Api| api.get("/v1/modules/shared").ok()["active"].clone();
    let (own, other) = (version(&pair.trying), version(&pair.having));
    assert_ne!(own, other);
    for body in [json!({ "to": other }), json!({ "to": "0".repeat(64) })] {
        pair.trying.post("/v1/modules/shared/roll-back", &body).problem(404, "module-not-found");
    }
    assert_eq!((version(&pair.trying), version(&pair.having)), (own, other));
}

#[test]
fn what_nodes_run_is_shown_to_whose_it_is() {
    let pair = Pair::shared();
    let running = |api: &Api| api.get("/v1/nodes").ok()["nodes"][0]["running_requests"].to_string();
    assert!(running(&pair.having).contains(&pair.running));
    assert!(!running(&pair.trying).contains(&pair.running) && !running(&pair.trying).contains("twin."));
    // An operator sees either, one at a time.
    let operator = |tenant: &str| running(&pair.closed.operator.naming(tenant));
    assert!(operator(&pair.names.tenant).contains(&pair.running) && !operator(TRYING).contains(&pair.running));
}
