//! Bounds of one tenant, and of single tasks of it, on a node where others have the node's.

use mogbox_fixtures::guest::Guest;
use serde_json::json;

use super::pair::Closed;
use crate::support::guests;

/// A guest that grows until it is refused.
const CREEPING: &str = "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable";

#[test]
fn a_tenants_bound_on_memory_holds_for_its_guests_and_for_no_others() {
    let closed = Closed::start(&[]);
    let (small, large) = (closed.tenant("small", json!({ "limits": { "memory": "1MiB" } })), closed.tenant("large", json!({})));
    let guest = Guest::running(CREEPING).build();
    for (api, bound) in [(&small, "1MiB"), (&large, "64MiB")] {
        api.upload("guest", &guest).ok();
        let request = api.run("t", json!([]));
        let message = request["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("over the bound memory of {bound}")), "{request}");
    }
    // What is changed holds for the next attempt.
    closed.operator.patch("/v1/tenants/small", &json!({ "limits": { "memory": "2MiB" } })).ok();
    let request = small.run("t", json!([]));
    assert!(request["error"]["message"].as_str().unwrap().contains("over the bound memory of 2MiB"), "{request}");
    assert_eq!(request["report"]["receipt"]["peak_memory"], 2 << 20, "{request}");
}

#[test]
fn a_tasks_bound_holds_for_that_task_alone() {
    let closed = Closed::start(&[]);
    let api = closed.tenant("acme", json!({ "task_limits": { "hostile.allocate": { "memory": "4MiB" } } }));
    api.push(guests::GUEST_HOSTILE);
    let bounded = api.run("hostile.allocate", json!([8 << 20]));
    assert_eq!(bounded["state"], "FAILURE", "{bounded}");
    assert!(bounded["error"]["message"].as_str().unwrap().contains("over the bound memory of 4MiB"), "{bounded}");
    let free = api.run("hostile.grow", json!([128]));
    assert_eq!(free["state"], "SUCCESS", "{free}");
    assert!(free["report"]["receipt"]["peak_memory"].as_u64() >= Some(8 << 20), "{free}");
}

#[test]
fn more_modules_or_bytes_of_modules_than_a_tenant_may_have_are_refused_by_the_bound() {
    let closed = Closed::start(&[]);
    let add = std::fs::read(guests::EXAMPLE_ADD).unwrap();
    let (few, light) = (
        closed.tenant("few", json!({ "limits": { "modules": "1" } })),
        closed.tenant("light", json!({ "limits": { "module-bytes": "64KiB" } })),
    );
    for api in [&few, &light] {
        api.upload("guest", &Guest::default().build()).ok();
    }
    let refused = few.upload("add", &add);
    assert!(refused.problem(409, "too-many-modules").contains("over the bound modules of 1"), "{refused:?}");
    let refused = light.upload("add", &add);
    assert!(refused.problem(413, "over-bound").contains("over the bound module-bytes of 64KiB"), "{refused:?}");
    for api in [&few, &light] {
        assert_eq!(api.get("/v1/modules").ok()["modules"].as_array().unwrap().len(), 1);
        assert_eq!(api.run("t", json!([7]))["value"], 7);
    }
    closed.tenant("other", json!({})).upload("add", &add).ok();
}
