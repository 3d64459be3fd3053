//! `documents`: what Mogbox stores as one JSON document each, and reads back from a store that others may write to: reports of
//! attempts, modules of a tenant, dead letters.

use mogbox_core::Report;
use mogbox_core::broker::DeadLetter;
use mogbox_core::module::ModuleIndex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "documents", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    check::<Report>(data);
    check::<DeadLetter>(data);
    if let Some(index) = check::<ModuleIndex>(data) {
        let serving = index.serving();
        for module in index.0.values() {
            let version = module.active_version();
            version.iter().flat_map(|version| &version.tasks).for_each(|task| assert!(serving.contains_key(&task.name), "{}", task.name));
        }
    }
}

/// A document that is read is written so that it is read again as it was.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(data: &[u8]) -> Option<T> {
    let document: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&document).expect("what was read is written");
    let again: T = serde_json::from_slice(&written).expect("what is written is read");
    assert_eq!(again, document);
    Some(document)
}

fn seeds() -> Vec<Vec<u8>> {
    let digest = "ab".repeat(32);
    let task = r#"{"name":"a.b","title":"t","description":"d","parameters":{"type":"object"},"returns":null}"#;
    let version = format!(r#"{{"digest":"{digest}","size":7,"uploaded":"2026-11-25T12:00:00Z","tasks":[{task}]}}"#);
    let index = format!(r#"{{"m":{{"active":"{digest}","versions":[{version},{version}]}},"n":{{"active":"{digest}","versions":[]}}}}"#);
    let line = r#"{"at":"2026-11-25T12:00:00.5Z","level":"info","message":"m","fields":{"k":[1.0]}}"#;
    let receipt = r#"{"queued_us":1,"started":null,"run_us":2,"cpu_us":3,"peak_memory":4,"host_calls":5,"host_bytes":6,"module":null,
        "engine":"e","node_id":"node-1"}"#;
    let report = format!(r#"{{"attempt":1,"receipt":{receipt},"error":"x","log":[{line}],"dropped_lines":0}}"#);
    let letter = r#"{"queue":"tasks","body":"{","reason":"malformed","at":"2026-11-25T12:00:00Z"}"#;
    [index, report, letter.to_owned()].map(String::into_bytes).into()
}
