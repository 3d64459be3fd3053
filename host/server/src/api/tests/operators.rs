//! What operators ask for: trees, queues, nodes.

use mogbox_core::{RequestId, Tenant};
use serde_json::{Value, json};

use super::Served;

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_read_as_deep_and_as_wide_as_it_is_asked_for() {
    let served = Served::start().await;
    let root = served.child(&[]).await;
    let child = served.child(&[root]).await;
    served.child(&[root]).await;
    let grandchild = served.child(&[root, child]).await;
    let tree = async |query: &str| served.call("GET", &format!("/v1/requests/{root}/tree?{query}"), &Value::Null).await;
    let (status, whole) = tree("").await;
    let children = whole["children"].as_array().unwrap();
    let parent = children.iter().find(|one| one["result"]["id"] == child.to_string()).unwrap();
    assert_eq!((status, children.len(), &parent["children"][0]["result"]["id"]), (200, 2, &json!(grandchild.to_string())));
    let (_, narrow) = tree("width=1").await;
    assert_eq!((narrow["children"].as_array().unwrap().len(), &narrow["left_off"]), (1, &json!(1)));
    let (_, flat) = tree("depth=1").await;
    assert_eq!((&flat["children"], &flat["left_off"]), (&json!([]), &json!(2)));
    for (query, named) in [("depth=0", "invalid depth 0: expected 1 to 50"), ("width=1001", "invalid width 1001: expected 1 to 1000")] {
        let (status, problem) = tree(query).await;
        assert_eq!((status, &problem["detail"]), (400, &json!(named)));
    }
    let nobody = RequestId::random();
    assert_eq!(served.call("GET", &format!("/v1/requests/{nobody}/tree"), &Value::Null).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_is_revoked() {
    let served = Served::start().await;
    let ids = [served.submit().await, served.submit().await];
    let (_, queues) = served.call("GET", "/v1/queues", &Value::Null).await;
    assert_eq!(queues, json!({"queues": [{"name": "tasks", "ready": 2, "delayed": 0, "leased": 0, "dead": 0}]}));
    let purge = async |queue: &str| served.call("DELETE", &format!("/v1/queues/{queue}/requests"), &Value::Null).await;
    assert_eq!(purge("tasks").await, (200, json!({"queue": "tasks", "purged": 2, "complete": true})));
    assert_eq!([served.state(ids[0]).await, served.state(ids[1]).await], ["REVOKED", "REVOKED"]);
    assert_eq!(purge("tasks").await, (200, json!({"queue": "tasks", "purged": 0, "complete": true})));
    let (status, problem) = purge("bulk").await;
    assert_eq!((status, &problem["code"]), (404, &json!("queue-not-found")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("expected one of tasks"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_that_is_done_submitted_is_revoked_on_demand_only() {
    let served = Served::start().await;
    let root = served.child(&[]).await;
    let child = served.child(&[root]).await;
    assert!(served.api.results.revoke(&Tenant::default(), root, jiff::Timestamp::now()).await.unwrap().is_some());
    let revoke = async |query: &str| served.call("POST", &format!("/v1/requests/{root}/revoke{query}"), &Value::Null).await.1;
    assert_eq!(revoke("").await["revoked"], 0);
    assert_eq!(served.state(child).await, "PENDING");
    assert_eq!(revoke("?force=true").await["revoked"], 1);
    assert_eq!(served.state(child).await, "REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_node_answers_none_is_listed() {
    let served = Served::start().await;
    let (status, list) = served.call("GET", "/v1/nodes?seconds=0.1", &Value::Null).await;
    assert_eq!((status, list), (200, json!({"nodes": []})));
    assert_eq!(served.call("GET", "/v1/nodes?seconds=31", &Value::Null).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_removed_whole_or_without_an_earlier_version() {
    let served = Served::start().await;
    let tenant = mogbox_core::Tenant::default();
    let old = served.api.catalog.activate(&tenant, "m", b"1", Vec::new(), None).await.unwrap().digest;
    let active = served.api.catalog.activate(&tenant, "m", b"2", Vec::new(), None).await.unwrap().digest;
    let (status, refused) = served.call("DELETE", &format!("/v1/modules/m?version={active}"), &Value::Null).await;
    assert_eq!((status, &refused["code"]), (409, &json!("version-active")));
    let (status, removed) = served.call("DELETE", &format!("/v1/modules/m?version={old}"), &Value::Null).await;
    assert_eq!((status, removed), (200, json!({"name": "m", "version": old})));
    assert_eq!(served.call("GET", "/v1/modules/m", &Value::Null).await.1["versions"].as_array().unwrap().len(), 1);
    assert_eq!(served.call("DELETE", "/v1/modules/m?version=nothing", &Value::Null).await.0, 400);
    assert_eq!(served.call("DELETE", "/v1/modules/m", &Value::Null).await.0, 200);
    let (status, refused) = served.call("DELETE", "/v1/modules/m", &Value::Null).await;
    assert_eq!((status, &refused["code"]), (404, &json!("module-not-found")));
}
