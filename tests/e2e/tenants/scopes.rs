//! What a token is good for, for every call that the description tells of.

use serde_json::{Value, json};

use super::operations::{Names, operations};
use super::pair::{ALL_SCOPES, Pair};
use crate::support::Api;

#[test]
fn a_token_of_one_scope_is_refused_every_call_that_needs_another() {
    let pair = Pair::shared();
    let nobodys = Names::nobodys();
    pair.closed.tenant("scoped", json!({}));
    for held in ALL_SCOPES {
        let api = Api::holder(pair.url(), &pair.closed.token("scoped", &[held]));
        for operation in operations(pair.url()) {
            // Names that nobody has: what is let through changes nothing.
            let answer = api.call(&operation.method, &operation.path_to(&nobodys), &Value::Null);
            let refused = (answer.status, &answer.body["code"]) == (403, &json!("scope-missing"));
            let is_good = operation.scope.as_deref().is_none_or(|needed| needed == held);
            assert_ne!(refused, is_good, "{} with {held}: {answer:?}", operation.name());
        }
    }
}

#[test]
fn without_a_token_nothing_is_answered_but_what_is_open() {
    let pair = Pair::shared();
    let mut open = Vec::new();
    for operation in operations(pair.url()) {
        let path = operation.path_to(&pair.names);
        let answer = Api::nobody(pair.url()).call(&operation.method, &path, &Value::Null);
        match &operation.scope {
            Some(_) => assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token-required")), "{}", operation.name()),
            None => open.push((operation.name(), answer.status)),
        }
        let wrong = Api::holder(pair.url(), "mogbox_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let answer = wrong.call(&operation.method, &path, &Value::Null);
        assert_eq!(answer.status == 401, operation.scope.is_some(), "{}: {answer:?}", operation.name());
    }
    let expected = ["GET /healthz", "GET /readyz", "GET /v1/openapi.json"].map(|name| (name.to_owned(), 200));
    assert_eq!(open, expected);
}
