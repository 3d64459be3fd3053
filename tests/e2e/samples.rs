//! What Mogbox stores, compared field by field with what Mognet's own worker stored in the same cases.

use std::collections::BTreeMap;

use mogbox_fixtures::RedisServer;
use redis::Commands as _;
use serde_json::{Value, json};

use crate::support::{Node, guests, repository};

/// Fields that differ from run to run.
const VARYING: [&str; 6] = ["id", "parent_id", "created", "started", "finished", "node_id"];

type Hash = BTreeMap<String, String>;

fn sample(case: &str) -> Value {
    let text = std::fs::read_to_string(repository().join("tests/data/mognet/samples.json")).unwrap();
    let samples: Vec<Value> = serde_json::from_str(&text).unwrap();
    samples.into_iter().find(|sample| sample["case"] == case).unwrap_or_else(|| panic!("no case {case:?}"))["redis"].clone()
}

/// The names of a hash's fields, and the values of those that do not vary.
fn comparable(fields: Hash) -> (Vec<String>, Hash) {
    let names = fields.keys().cloned().collect();
    let fixed = fields.into_iter().filter(|(name, value)| value == "null" || !VARYING.contains(&name.as_str())).collect();
    (names, fixed)
}

struct Compared {
    redis: redis::Connection,
    sample: Value,
    base: String,
}

impl Compared {
    fn check_hash(&mut self, part: &str, rename: &[(&str, &str)]) {
        let key = format!("{}{}", self.base, part.trim_end_matches('/'));
        let ours: Hash = self.redis.hgetall(&key).unwrap();
        let theirs = self.sample[part]["fields"].to_string();
        let theirs = rename.iter().fold(theirs, |text, (from, to)| text.replace(from, to));
        let theirs: Hash = serde_json::from_str(&theirs).unwrap();
        assert_eq!(comparable(ours), comparable(theirs), "{key}");
        self.check_life(part, &key);
    }

    /// Value hashes are compared by what they hold: clients read both encodings.
    fn check_value(&mut self) {
        let key = format!("{}/value", self.base);
        let ours: Hash = self.redis.hgetall(&key).unwrap();
        let theirs = &self.sample["/value"]["fields"];
        assert_eq!(ours["content_type"], theirs["content_type"].as_str().unwrap());
        assert_eq!(ours["encoding"], "null", "a value as short as this is not compressed");
        let (ours, theirs): (Value, &Value) = (serde_json::from_str(&ours["contents"]).unwrap(), &theirs["contents (after gunzip)"]);
        assert_eq!(ours["value_type"], theirs["value_type"]);
        for field in ["name", "raw_data_encoding"].iter().filter(|_| theirs["raw_value"].is_object()) {
            assert_eq!(ours["raw_value"][field], theirs["raw_value"][field]);
        }
        if !theirs["raw_value"].is_object() {
            assert_eq!(ours["raw_value"], theirs["raw_value"]);
        }
        self.check_life("/value", &key);
    }

    fn check_life(&mut self, part: &str, key: &str) {
        let life: i64 = self.redis.ttl(key).unwrap();
        let expected = self.sample[part]["ttl"].as_i64().unwrap();
        assert!((expected - 120..=expected).contains(&life), "{key}: {life} s, Mognet has {expected} s");
    }

    /// Every key that there is of the request is one that Mognet has too, or under Mogbox's own prefix.
    fn check_keys(&mut self) {
        let ours: Vec<String> = redis::cmd("KEYS").arg(format!("{}*", self.base)).query(&mut self.redis).unwrap();
        let mut ours: Vec<&str> = ours
            .iter()
            .map(|key| key.trim_start_matches(self.base.as_str()))
            .map(|part| if part.is_empty() { "/" } else { part })
            .collect();
        ours.sort_unstable();
        let theirs: Vec<&str> = self.sample.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn what_is_stored_equals_what_mognet_stored_field_by_field() {
    let server = RedisServer::start().unwrap();
    let node = Node::redis(&server.url(), &[]);
    let api = node.api("wiretest");
    for component in guests::EXAMPLES {
        api.push(component);
    }
    let past = "2020-01-01T00:00:00Z";
    let cases = [
        ("success with metadata", json!({ "name": "example.add", "args": [1, 2], "metadata": { "user_id": "dol", "tenant": 7 } })),
        ("unknown task", json!({ "name": "demo.nope", "allow_unknown": true })),
        (
            "relative deadline, priority 9",
            json!({ "name": "example.add", "kwargs": { "n1": 1, "n2": 2 }, "deadline": "PT5S", "priority": 9 }),
        ),
        ("deadline already past", json!({ "name": "example.add", "args": [1, 2], "deadline": past })),
        ("runs a child", json!({ "name": "example.family", "kwargs": { "children": 1 } })),
    ];
    for (case, request) in cases {
        let id = api.submit_request(&request);
        api.wait(&id);
        let redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let mut compared = Compared { redis, sample: sample(case), base: format!("wiretest.mognet.result.{id}") };
        let renamed = [("demo.add", "example.add"), ("demo.child", "example.family"), ("\\\"\\\"", "\\\"children=1\\\"")];
        compared.check_hash("/", if case == "runs a child" { &renamed } else { &renamed[..1] });
        compared.check_value();
        if compared.sample["/metadata"].is_object() {
            compared.check_hash("/metadata", &[]);
        }
        compared.check_keys();
    }
}
