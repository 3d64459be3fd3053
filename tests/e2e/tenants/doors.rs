//! Where a node may listen, and whom it lets in there.

use serde_json::{Value, json};

use super::pair::Closed;
use crate::support::{Api, Node, binary, run, untold};

#[test]
fn a_node_listens_to_other_machines_only_where_there_are_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let data = data.to_str().unwrap();
    let said = run(untold(binary()).args(["serve", "--data", data, "--listen", "0.0.0.0:0"])).failed();
    assert!(said.contains("0.0.0.0") && said.contains("token"), "{said}");
    let Closed { node, operator_token, .. } = Closed::start(&["--data", data]);
    node.ask_to_stop();
    assert!(node.ended().success());
    let node = Node::embedded(&["--data", data, "--listen", "0.0.0.0:0"]);
    let url = node.url().replace("0.0.0.0", "127.0.0.1");
    Api::nobody(&url).get("/v1/modules").problem(401, "token-required");
    assert_eq!(Api::holder(&url, &operator_token).get("/v1/tokens").ok()["tokens"].as_array().unwrap().len(), 1);
    // By another name of the machine's, or of whoever stands before it.
    let elsewhere = [("host", "node.example:7777"), ("origin", "https://pages.example")];
    let named = |api: Api| api.call_with("GET", "/v1/modules", &Value::Null, &elsewhere);
    assert_eq!(named(Api::holder(&url, &operator_token)).ok(), json!({ "modules": [] }));
    named(Api::nobody(&url)).problem(401, "token-required");
}

#[test]
fn a_node_without_tokens_is_called_by_its_own_names_only_and_from_its_first_token_on_by_any() {
    let node = Node::embedded(&[]);
    let elsewhere = [("host", "node.example:7777")];
    Api::nobody(node.url()).call_with("GET", "/v1/modules", &Value::Null, &elsewhere).problem(403, "foreign-caller");
    let Closed { node, operator_token, .. } = Closed::close(node);
    Api::holder(node.url(), &operator_token).call_with("GET", "/v1/modules", &Value::Null, &elsewhere).ok();
    Api::nobody(node.url()).call_with("GET", "/v1/modules", &Value::Null, &elsewhere).problem(401, "token-required");
}
