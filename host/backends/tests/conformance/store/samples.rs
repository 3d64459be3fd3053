//! Redis only: keys, fields, texts and times to live are those that a live Mognet left.

use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::Limits;
use mogbox_core::report::{Receipt, Report};
use mogbox_core::request::Request;
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{Start, Step, Transition, Transitioned, Waits};

use super::raw::{Raw, result_key};
use super::world::{World, entries, finish, json, node, now, request, start};

const DAYS_21: i64 = 1_814_400;
const DAYS_7: i64 = 604_800;

fn pairs<const N: usize>(fields: [(&str, &str); N]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    pairs.sort();
    pairs
}

/// Mognet's sample "success with metadata": its request, step by step at its times.
fn sample() -> Request {
    let mut request = Request::new("demo.add".parse().unwrap());
    request.id = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2".parse().unwrap();
    request.args = vec![json("1"), json("2")];
    request.metadata = entries([("user_id", r#""dol""#), ("tenant", "7")]);
    request.kwargs_repr = Some("1, 2".to_owned());
    request
}

/// The start is stored alone, or with the end.
async fn run_sample(world: &World, together: bool) -> RequestId {
    let (request, tenant) = (sample(), &world.tenant);
    world.results.create(tenant, &request, "2026-11-25T06:18:10.181918Z".parse().unwrap()).await.unwrap();
    let at = "2026-11-25T06:18:10.187310Z".parse().unwrap();
    let start = Start { node_id: node(), at };
    if !together {
        world.step(request.id, 1, Transition::Start(start.clone())).await;
    }
    let at = "2026-11-25T06:18:10.190765Z".parse().unwrap();
    let value = Value::Success(json("3.0"));
    let transition = Transition::Finish { state: State::Success, value, at, report: None, waits: Waits::default(), kept_state: true };
    let end = Step { tenant: tenant.clone(), id: request.id, fence: 1, start: together.then_some(start), transition };
    assert_eq!(world.results.transition_all(&[&end]).await, [Ok(Transitioned::Applied)]);
    request.id
}

#[tokio::test]
async fn a_success_leaves_what_mognet_leaves() {
    success_leaves_what_mognet_leaves(false).await;
}

#[tokio::test]
async fn a_success_whose_start_comes_with_its_end_leaves_what_mognet_leaves() {
    success_leaves_what_mognet_leaves(true).await;
}

async fn success_leaves_what_mognet_leaves(together: bool) {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (id, tenant) = (run_sample(&world, together).await, &world.tenant);
    let expected = pairs([
        ("id", r#""9b09b78c-688f-4d40-b7ba-1a1fb10215e2""#),
        ("name", r#""demo.add""#),
        ("state", r#""SUCCESS""#),
        ("number_of_starts", "1"),
        ("number_of_stops", "1"),
        ("parent_id", "null"),
        ("created", r#""2026-11-25T06:18:10.181918Z""#),
        ("started", r#""2026-11-25T06:18:10.187310Z""#),
        ("finished", r#""2026-11-25T06:18:10.190765Z""#),
        ("node_id", r#""node-1""#),
        ("request_kwargs_repr", r#""1, 2""#),
    ]);
    assert_eq!(raw.hash(&result_key(tenant, id, "")).await, expected);
    let value = raw.hash(&result_key(tenant, id, "/value")).await;
    let contents = r#"{"value_type":"builtins:float","raw_value":3.0}"#;
    assert_eq!(value, pairs([("contents", contents), ("encoding", "null"), ("content_type", r#""application/json""#)]));
    assert_eq!(raw.hash(&result_key(tenant, id, "/metadata")).await, pairs([("user_id", r#""dol""#), ("tenant", "7")]));
    assert_eq!(lives(&mut raw, tenant, id).await, [("", DAYS_21), ("/metadata", DAYS_21), ("/value", DAYS_7)]);
}

/// What follows the id in each key of a result, with its time to live; a test may take a second or two.
async fn lives(raw: &mut Raw, tenant: &Tenant, id: RequestId) -> Vec<(&'static str, i64)> {
    let whole = |ttl: i64| [DAYS_21, DAYS_7].into_iter().find(|full| (full - 5..=*full).contains(&ttl)).unwrap_or(ttl);
    let prefix = result_key(tenant, id, "");
    let found = raw.lives(tenant).await.into_iter();
    found.filter_map(|(key, ttl)| Some((key.strip_prefix(&prefix)?.to_owned().leak() as &str, whole(ttl)))).collect()
}

#[tokio::test]
async fn a_revocation_of_an_unknown_request_leaves_what_mognet_leaves() {
    let (world, mut raw, id) = (World::redis().await, Raw::open().await, RequestId::random());
    let tenant = &world.tenant;
    world.results.revoke(tenant, id, "2026-11-25T06:18:17.863034Z".parse().unwrap()).await.unwrap();
    let quoted = format!("\"{id}\"");
    let expected = pairs([
        ("id", quoted.as_str()),
        ("name", "null"),
        ("state", r#""REVOKED""#),
        ("number_of_starts", "0"),
        ("number_of_stops", "1"),
        ("parent_id", "null"),
        ("created", "null"),
        ("started", "null"),
        ("finished", r#""2026-11-25T06:18:17.863034Z""#),
        ("node_id", "null"),
        ("request_kwargs_repr", "null"),
    ]);
    assert_eq!(raw.hash(&result_key(tenant, id, "")).await, expected);
    let value: String = raw.call("HGET", result_key(tenant, id, "/value"), &[b"contents"]).await;
    let value: serde_json::Value = serde_json::from_str(&value).unwrap();
    assert_eq!(value["value_type"], "mognet.model.result:_ExceptionInfo");
    assert_eq!(value["raw_value"]["name"], "mognet.exceptions.result_exceptions:ResultNotReady");
    let pickle = "gASVPQAAAAAAAACMI21vZ25ldC5leGNlcHRpb25zLnJlc3VsdF9leGNlcHRpb25zlIwOUmVzdWx0Tm90UmVhZHmUk5QpUpQu";
    assert_eq!(value["raw_value"]["raw_data"], pickle);
    assert_eq!(lives(&mut raw, tenant, id).await, [("", DAYS_21), ("/value", DAYS_7)]);
}

#[tokio::test]
async fn a_deadline_that_passed_before_the_start_leaves_what_mognet_leaves() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let id = world.submitted().await;
    let end = Transition::Finish {
        state: State::Revoked,
        value: Value::Exception(Exception::Timeout),
        at: now(),
        report: None,
        waits: Waits::default(),
        kept_state: true,
    };
    world.step(id, 1, end).await;
    let hash = raw.hash(&result_key(&world.tenant, id, "")).await;
    let field = |name: &str| hash.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!(hash.len(), 11);
    assert_eq!(
        (field("number_of_starts"), field("number_of_stops"), field("started"), field("node_id")),
        (Some("0"), Some("1"), Some("null"), Some("null"))
    );
    let value: String = raw.call("HGET", result_key(&world.tenant, id, "/value"), &[b"contents"]).await;
    assert!(value.contains(r#""raw_data":"gASVIAAAAAAAAACMCGJ1aWx0aW5zlIwMVGltZW91dEVycm9ylJOUKVKULg==""#), "{value}");
}

#[tokio::test]
async fn a_child_is_sixteen_raw_bytes_in_its_parents_set() {
    let (world, mut raw, mut child) = (World::redis().await, Raw::open().await, request());
    let parent = world.submitted().await;
    child.stack = vec![parent];
    world.results.create(&world.tenant, &child, now()).await.unwrap();
    let members: Vec<Vec<u8>> = raw.call("SMEMBERS", result_key(&world.tenant, parent, "/children"), &[]).await;
    assert_eq!(members, [child.id.as_bytes().to_vec()]);
    assert_eq!(lives(&mut raw, &world.tenant, parent).await, [("", DAYS_21), ("/children", DAYS_21)]);
    let parent_id: String = raw.call("HGET", result_key(&world.tenant, child.id, ""), &[b"parent_id"]).await;
    assert_eq!(parent_id, format!("\"{parent}\""));
}

#[tokio::test]
async fn a_value_that_gains_by_it_is_packed_as_a_client_reads_it() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (id, text) = (world.running().await, format!("\"{}\"", "word ".repeat(1_000)));
    let value = Value::Success(Json::parse(&text, usize::MAX).unwrap());
    world
        .step(
            id,
            1,
            Transition::Finish { state: State::Success, value, at: now(), report: None, waits: Waits::default(), kept_state: true },
        )
        .await;
    let key = result_key(&world.tenant, id, "/value");
    let (contents, encoding): (Vec<u8>, String) = raw.call("HMGET", key, &[b"contents", b"encoding"]).await;
    assert_eq!((contents.get(..2), encoding.as_str()), (Some([0x1f, 0x8b].as_slice()), "\"gzip\""));
    assert!(contents.len() < 200);
}

#[tokio::test]
async fn every_other_key_has_a_time_to_live_as_well() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (id, tenant) = (world.running().await, &world.tenant);
    let report = Report { attempt: 1, receipt: Receipt::default(), error: None, log: Vec::new(), dropped_lines: 0 };
    let Transition::Finish { state, value, at, .. } = finish(State::Success) else { unreachable!() };
    world
        .step(id, 1, Transition::Finish { state, value, at, report: Some(Box::new(report)), waits: Waits::default(), kept_state: true })
        .await;
    let other = world.running().await;
    world.state.set(tenant, other, 1, "k", &json("1"), &Limits::default()).await.unwrap();
    let keys: Vec<String> = raw.lives(tenant).await.into_iter().filter(|(_, ttl)| *ttl > 0).map(|(key, _)| key).collect();
    let [result, value] = ["", "/value"].map(|part| result_key(tenant, id, part));
    let [running, kept] = [result_key(tenant, other, ""), format!("{tenant}.mognet.state.{other}")];
    assert_eq!(keys, [format!("{tenant}.mogbox.report.{id}"), result, value, running, kept].sorted());
}

#[tokio::test]
async fn state_lives_on_whenever_it_is_used_and_is_gone_when_cleared() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (tenant, id) = (&world.tenant, world.running().await);
    let key = format!("{tenant}.mognet.state.{id}");
    world.state.set(tenant, id, 1, "k", &json("{\"a\":1}"), &Limits::default()).await.unwrap();
    assert_eq!(raw.hash(&key).await, pairs([("k", "{\"a\":1}")]));
    for used in ["get", "set"] {
        let _: bool = raw.call("EXPIRE", &key, &[b"100"]).await;
        match used {
            "get" => drop(world.state.get(tenant, id, "k").await.unwrap()),
            _ => drop(world.state.set(tenant, id, 1, "l", &json("1"), &Limits::default()).await.unwrap()),
        }
        let ttl: i64 = raw.call("TTL", &key, &[]).await;
        assert!((7_195..=7_200).contains(&ttl), "{ttl}");
    }
    world.state.clear(tenant, id, Some(1)).await.unwrap();
    assert_eq!(raw.call::<i64>("EXISTS", &key, &[]).await, 0);
}

#[tokio::test]
async fn the_fence_lies_in_the_hash_only_while_the_request_runs() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let id = world.submitted().await;
    world.step(id, 7, start()).await;
    let key = result_key(&world.tenant, id, "");
    let fence: String = raw.call("HGET", &key, &[b"attempt"]).await;
    assert_eq!(fence, "7");
    world.step(id, 7, Transition::Retry).await;
    assert_eq!(raw.hash(&key).await.len(), 13);
    world.revoke(id).await;
    assert_eq!(raw.hash(&key).await.len(), 11);
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<const N: usize> Sorted for [String; N] {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}
