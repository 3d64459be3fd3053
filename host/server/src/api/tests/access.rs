//! Tenants, tokens and usage over real connections: who may call, as whom, and to do what.

use serde_json::{Value, json};

use super::Served;

impl Served {
    /// A call with a token.
    pub(super) async fn as_holder(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: any.example\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = self.raw(head + &body).await;
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or(Value::Null))
    }

    /// Makes an operator's token: from then on every call needs one.
    pub(super) async fn operator(&self) -> String {
        let (status, made) = self.call("POST", "/v1/tokens", &json!({"admin": true, "note": "first"})).await;
        assert_eq!(status, 201, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }

    /// Makes a tenant with a token.
    pub(super) async fn tenant(&self, operator: &str, name: &str, scopes: &[&str]) -> String {
        let (status, made) = self.as_holder(operator, "POST", "/v1/tenants", &json!({"name": name})).await;
        assert_eq!(status, 201, "{made}");
        let (status, made) = self.as_holder(operator, "POST", "/v1/tokens", &json!({"tenant": name, "scopes": scopes})).await;
        assert_eq!(status, 201, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_token_is_an_operators_and_closes_the_api() {
    let served = Served::start().await;
    let (status, refused) = served.call("POST", "/v1/tokens", &json!({"tenant": "acme", "scopes": ["read"]})).await;
    assert_eq!((status, &refused["code"]), (404, &json!("tenant-not-found")));
    served.call("POST", "/v1/tenants", &json!({"name": "acme"})).await;
    let (status, refused) = served.call("POST", "/v1/tokens", &json!({"tenant": "acme", "scopes": ["read"]})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("last-token")));
    let operator = served.operator().await;
    for path in ["/v1/modules", "/v1/tenants", "/v1/tokens", "/v1/nothing"] {
        let (status, refused) = served.call("GET", path, &Value::Null).await;
        assert_eq!((status, &refused["code"]), (401, &json!("token-required")), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.call("GET", path, &Value::Null).await.0, 200, "{path}");
    }
    assert_eq!(served.as_holder(&operator, "GET", "/v1/tenants", &Value::Null).await.0, 200);
    let challenge = served.raw("GET /v1/modules HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(challenge.to_ascii_lowercase().contains("www-authenticate: bearer"), "{challenge}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_stored_as_a_digest() {
    let served = Served::start().await;
    let operator = served.operator().await;
    let acme = served.tenant(&operator, "acme", &["read", "submit"]).await;
    assert_eq!(served.as_holder(&acme, "GET", "/v1/modules", &Value::Null).await.0, 200);
    let (_, list) = served.as_holder(&operator, "GET", "/v1/tokens", &Value::Null).await;
    let text = list.to_string();
    assert!(!text.contains(&acme) && !text.contains(&operator) && !text.contains(&acme[7..30]), "{text}");
    let its = list["tokens"].as_array().unwrap().iter().find(|token| token["tenant"] == "acme").unwrap();
    assert_eq!((&its["scopes"], its["last_used"].is_string()), (&json!(["read", "submit"]), true), "{its}");
    let stored = std::fs::read(served.folder.path().join("mogbox.db")).unwrap();
    let log = std::fs::read(served.folder.path().join("mogbox.db-wal")).unwrap_or_default();
    for bytes in [stored, log] {
        assert!(!bytes.windows(acme.len()).any(|window| window == acme.as_bytes()), "the token itself is on the disk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_removed_lets_nobody_in_and_the_last_of_an_operator_stays() {
    let served = Served::start().await;
    let operator = served.operator().await;
    let acme = served.tenant(&operator, "acme", &["read"]).await;
    let (_, list) = served.as_holder(&operator, "GET", "/v1/tokens", &Value::Null).await;
    let id = |admin: bool| list["tokens"].as_array().unwrap().iter().find(|token| (token["admin"] == true) == admin).unwrap()["id"].clone();
    let path = |id: &Value| format!("/v1/tokens/{}", id.as_str().unwrap());
    assert_eq!(served.as_holder(&operator, "DELETE", &path(&id(false)), &Value::Null).await.0, 200);
    let (status, refused) = served.as_holder(&acme, "GET", "/v1/modules", &Value::Null).await;
    assert_eq!((status, &refused["code"]), (401, &json!("token-refused")));
    let (status, refused) = served.as_holder(&operator, "DELETE", &path(&id(true)), &Value::Null).await;
    assert_eq!((status, &refused["code"]), (409, &json!("last-token")));
    for malformed in ["", "mogbox_", "x", &"A".repeat(5_000), "mogbox_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let (status, refused) = served.as_holder(malformed, "GET", "/v1/modules", &Value::Null).await;
        assert_eq!((status, &refused["code"]), (401, &json!("token-refused")), "{malformed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_its_scopes_only() {
    let served = Served::start().await;
    let operator = served.operator().await;
    let reader = served.tenant(&operator, "acme", &["read"]).await;
    let request = json!({"name": "a.b", "allow_unknown": true});
    let calls = [("POST", "/v1/requests"), ("POST", "/v1/modules/m/roll-back"), ("GET", "/v1/tenants"), ("POST", "/v1/tokens")];
    for (method, path) in calls {
        let (status, refused) = served.as_holder(&reader, method, path, &request).await;
        assert_eq!((status, &refused["code"]), (403, &json!("scope-missing")), "{method} {path}");
        assert!(refused["detail"].as_str().unwrap().contains("good for read"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_made_changed_and_deleted_and_what_does_not_fit_is_named() {
    let served = Served::start().await;
    let null = Value::Null;
    let new = json!({"name": "acme", "weight": 2, "limits": {"memory": "16MiB"}, "task_limits": {"a.b": {"children": "3"}}});
    let (status, made) = served.call("POST", "/v1/tenants", &new).await;
    assert_eq!((status, &made["limits"]), (201, &json!({"memory": "16MiB"})), "{made}");
    assert_eq!(served.call("POST", "/v1/tenants", &new).await.1["code"], "tenant-exists");
    let change = json!({"suspended": true, "limits": {"memory": null, "queued": "5"}, "task_limits": {"a.b": {"children": null}}});
    let (status, changed) = served.call("PATCH", "/v1/tenants/acme", &change).await;
    assert_eq!((status, &changed["limits"], changed.get("task_limits")), (200, &json!({"queued": "5"}), None), "{changed}");
    assert_eq!((&changed["suspended"], &changed["weight"]), (&json!(true), &json!(2)));
    for (body, named) in [
        (json!({"limits": {"memroy": "1MiB"}}), "unknown bound \"memroy\""),
        (json!({"limits": {"memory": "9GiB"}}), "9GiB is over the maximum of the bound memory, 4GiB"),
        (json!({"weight": 0}), "invalid weight 0"),
    ] {
        let (status, refused) = served.call("PATCH", "/v1/tenants/acme", &body).await;
        assert_eq!((status, &refused["code"]), (422, &json!("invalid-record")));
        assert!(refused["detail"].as_str().unwrap().contains(named), "{refused}");
    }
    assert_eq!(served.call("PATCH", "/v1/tenants/acme", &json!({"wieght": 1})).await.1["code"], "malformed-body");
    assert_eq!(served.call("GET", "/v1/tenants/nobody", &null).await.1["code"], "tenant-not-found");
    assert_eq!(served.call("GET", "/v1/tenants", &null).await.1["tenants"].as_array().unwrap().len(), 1);
    assert_eq!(served.call("DELETE", "/v1/tenants/acme", &null).await.1, json!({"name": "acme", "tokens": 0, "requests": 0}));
    assert_eq!(served.call("GET", "/v1/tenants/acme", &null).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_submits_nothing_and_a_deleted_ones_requests_are_revoked() {
    let served = Served::start().await;
    let request = json!({"name": "a.b", "allow_unknown": true});
    served.call("POST", "/v1/tenants", &json!({"name": "acme"})).await;
    let (_, submitted) = served.call("POST", "/v1/requests?tenant=acme", &request).await;
    served.call("PATCH", "/v1/tenants/acme", &json!({"suspended": true})).await;
    let (status, refused) = served.call("POST", "/v1/requests?tenant=acme", &request).await;
    assert_eq!((status, &refused["code"]), (403, &json!("tenant-suspended")));
    assert_eq!(served.call("POST", "/v1/requests", &request).await.0, 202);
    assert_eq!(served.call("DELETE", "/v1/tenants/acme", &Value::Null).await.1["requests"], 1);
    let path = format!("/v1/requests/{}?tenant=acme", submitted["id"].as_str().unwrap());
    assert_eq!(served.call("GET", &path, &Value::Null).await.1["state"], "REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_submits_no_more_than_its_quotas_and_the_bound_is_named() {
    let served = Served::start().await;
    let request = json!({"name": "a.b", "args": ["x".repeat(100)], "allow_unknown": true});
    let submit = || served.call("POST", "/v1/requests?tenant=acme", &request);
    served.call("POST", "/v1/tenants", &json!({"name": "acme", "limits": {"queued": "3"}})).await;
    for _ in 0..3 {
        assert_eq!(submit().await.0, 202);
    }
    let (status, refused) = submit().await;
    assert_eq!((status, &refused["code"]), (413, &json!("over-bound")));
    assert!(refused["detail"].as_str().unwrap().contains("over the bound queued of 3"), "{refused}");
    // What leaves the queue makes room at once.
    served.call("DELETE", "/v1/queues/tasks/requests?tenant=acme", &Value::Null).await;
    assert_eq!(submit().await.0, 202);
    served.call("PATCH", "/v1/tenants/acme", &json!({"limits": {"queued": null, "submissions": "1"}})).await;
    let refusals = [submit().await, submit().await, submit().await];
    let over = refusals.iter().find(|(status, _)| *status == 413).expect("more than one in a second");
    assert!(over.1["detail"].as_str().unwrap().contains("over the bound submissions of 1"), "{over:?}");
    served.call("PATCH", "/v1/tenants/acme", &json!({"limits": {"submissions": null, "stored": "150B"}})).await;
    let refusals = [submit().await, submit().await];
    let over = refusals.iter().find(|(status, _)| *status == 413).expect("more than 150 bytes");
    assert!(over.1["detail"].as_str().unwrap().contains("over the bound stored of 150B"), "{over:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_told_by_day() {
    let served = Served::start().await;
    let used = mogbox_core::usage::Usage { requests: 3, cpu_us: 1_500, ..Default::default() };
    let today = mogbox_core::usage::day_of(jiff::Timestamp::now());
    served.api.usage.add(today, &[(mogbox_core::Tenant::default(), used)]).await.unwrap();
    let (status, usage) = served.call("GET", "/v1/usage?days=2", &Value::Null).await;
    assert_eq!((status, usage["days"].as_array().unwrap().len()), (200, 2), "{usage}");
    assert_eq!(
        (&usage["days"][0]["requests"], &usage["days"][0]["cpu_us"], &usage["days"][1]["requests"]),
        (&json!(3), &json!(1500), &json!(0))
    );
    assert_eq!(served.call("GET", "/v1/usage?days=0", &Value::Null).await.1["code"], "malformed-query");
}
