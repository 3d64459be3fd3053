//! The description of the API: of every route, with the scope that each asks for, and with a row in host/API.md.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Served;

/// One call that the description tells of.
struct Operation {
    method: String,
    path: String,
    /// None where it is open to everybody.
    scope: Option<String>,
    told: Value,
}

impl Operation {
    /// Its path, with names that nothing has.
    fn call_path(&self) -> String {
        let id = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2";
        let names = [("{id}", id), ("{token}", "0123456789abcdef"), ("{name}", "none"), ("{key}", "none"), ("{queue}", "none")];
        let path = names.iter().fold(self.path.clone(), |path, (name, value)| path.replace(name, value));
        path.replace("{tenant}", "none")
    }
}

fn described() -> Vec<Operation> {
    let whole: Value = serde_json::from_str(&crate::api::openapi::description().to_json().unwrap()).unwrap();
    let mut found = Vec::new();
    for (path, item) in whole["paths"].as_object().unwrap() {
        for (method, told) in item.as_object().unwrap() {
            let scope = told["security"][0]["bearer"][0].as_str().map(ToOwned::to_owned);
            found.push(Operation { method: method.to_uppercase(), path: path.clone(), scope, told: told.clone() });
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_to_whoever_asks_and_says_what_is_so() {
    let served = Served::start().await;
    served.operator().await;
    let (status, whole) = served.call("GET", "/v1/openapi.json", &Value::Null).await;
    assert_eq!((status, &whole["openapi"], &whole["info"]["title"]), (200, &json!("3.1.0"), &json!("Mogbox")), "{whole}");
    let mut ids = BTreeSet::new();
    for Operation { method, path, told, .. } in described() {
        assert!(!told["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path} has no summary");
        assert!(ids.insert(told["operationId"].to_string()), "{method} {path} has another's operationId");
        let problem = &told["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
        for parameter in told["parameters"].as_array().into_iter().flatten() {
            assert!(!parameter["description"].as_str().unwrap_or_default().is_empty(), "{method} {path}: {parameter}");
        }
    }
    for reference in whole.to_string().split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(whole.pointer(pointer).is_some(), "nothing is at {pointer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lists_exactly_what_is_served() {
    assert!(!include_str!("../../api.rs").contains(".route("), "a route without a description");
    let served = Served::start().await;
    let described = described();
    let listed: BTreeSet<_> = described.iter().map(|operation| (operation.method.as_str(), operation.path.as_str())).collect();
    for operation in &described {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let (_, answer) = served.call(method, &operation.call_path(), &Value::Null).await;
            let is_served = answer["code"] != "method-not-allowed" && answer["code"] != "no-such-route";
            assert_eq!(is_served, listed.contains(&(method, operation.path.as_str())), "{method} {}: {answer}", operation.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_asks_for_the_scope_that_it_is_described_with_and_no_other() {
    let served = Served::start().await;
    let operator = served.operator().await;
    let mut tokens = Vec::new();
    for scope in ["read", "submit", "upload"] {
        tokens.push((scope, served.tenant(&operator, scope, &[scope]).await));
    }
    for operation in described() {
        let (method, path, scope) = (&operation.method, operation.call_path(), operation.scope.as_deref());
        let (status, answer) = served.call(method, &path, &Value::Null).await;
        assert_eq!(status == 401, scope.is_some(), "{method} {path} without a token: {answer}");
        for (held, token) in &tokens {
            let (status, answer) = served.as_holder(token, method, &path, &Value::Null).await;
            let is_good = scope.is_none_or(|scope| scope == *held);
            let refused = status == 403 && answer["code"] == "scope-missing";
            assert_ne!(is_good, refused, "{method} {path} with {held}: {answer}");
            let needed = format!("this call needs {}", scope.unwrap_or_default());
            assert!(is_good || answer["detail"].as_str().unwrap().contains(&needed), "{method} {path} with {held}: {answer}");
        }
    }
}

#[test]
fn the_page_has_every_call_and_no_other() {
    let page = include_str!("../../../../API.md");
    let routes = page.split("## Routes").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut written = BTreeSet::new();
    for row in routes.lines().filter(|line| line.starts_with("| `")) {
        let mut methods = Vec::new();
        for words in row.split(" | ").next().unwrap().split('`').skip(1).step_by(2) {
            let (method, path) = words.split_once(' ').map_or((words, None), |(method, path)| (method, Some(path)));
            methods.push(method.to_owned());
            if let Some(path) = path {
                written.extend(methods.drain(..).map(|method| format!("{method} {path}")));
            }
        }
        assert!(methods.is_empty(), "a method without a path: {row}");
    }
    let as_written = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).map_or(part.to_owned(), str::to_uppercase);
    let path = |operation: &Operation| operation.path.split('/').map(as_written).collect::<Vec<_>>().join("/");
    let described: BTreeSet<String> = described().iter().map(|operation| format!("{} {}", operation.method, path(operation))).collect();
    assert_eq!(described.symmetric_difference(&written).collect::<Vec<_>>(), Vec::<&String>::new());
}
