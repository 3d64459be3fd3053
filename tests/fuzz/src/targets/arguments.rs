//! `arguments`: JSON of strangers, alone and by key, and the text that shows arguments to people.

use mogbox_core::json::{JsonError, Kind};
use mogbox_core::wire::repr::kwargs_repr;
use mogbox_core::{Entries, Json};
use serde_json::Value;

use crate::Target;

const LIMIT: usize = 64 << 10;

/// Bytes of the longest text of arguments: 4 KiB, then one more argument with its key, and the dots.
const LONGEST_REPR: usize = (4 << 10) + 256 + 64 * 4 + 16;

pub(crate) const TARGET: Target = Target { name: "arguments", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let json = match Json::parse(&text, LIMIT) {
        Ok(json) => json,
        Err(error) => return check_refusal(&text, &error),
    };
    check(&text, &json);
    let list = json.read::<Vec<Json>>().unwrap_or_default();
    let entries = json.read::<Entries>().unwrap_or_default();
    let repr = kwargs_repr(&list, &entries);
    assert!(repr.len() <= LONGEST_REPR, "{} bytes: {repr}", repr.len());
    assert!(!repr.contains(['\n', '\r', '\t', '\0', '\u{1b}']), "{repr:?}");
    let again: Entries =
        serde_json::from_str(&serde_json::to_string(&entries).expect("entries are JSON")).expect("what is written is read");
    assert_eq!(again, entries);
}

fn check(text: &str, json: &Json) {
    assert_eq!(json.as_str(), text.trim_matches([' ', '\n', '\r', '\t']));
    let value: Value = serde_json::from_str(text).expect("what is taken is JSON");
    let fits = match json.kind() {
        Kind::Null => value.is_null(),
        Kind::Bool => value.is_boolean(),
        Kind::Int | Kind::Float => value.is_number(),
        Kind::Str => value.is_string(),
        Kind::List => value.is_array(),
        Kind::Dict => value.is_object(),
    };
    assert!(fits, "{:?} of {text}", json.kind());
}

/// What another reader would take is refused for its depth or its size only.
fn check_refusal(text: &str, error: &JsonError) {
    crate::targets::check_error(error);
    if let JsonError::Malformed(reason) = error {
        let others_take_it = serde_json::from_str::<Value>(text).is_ok();
        assert!(!others_take_it || reason.contains("nested deeper"), "{reason}: {text}");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let captured: Vec<Value> = serde_json::from_str(include_str!("../../../data/mognet/repr.json")).expect("captured texts");
    let single: Vec<String> = captured.iter().filter_map(|case| case["json"].as_str().map(str::to_owned)).collect();
    let named = single.iter().enumerate().map(|(at, json)| format!("\"k{at}\": {json}")).collect::<Vec<_>>().join(",");
    let deep = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    let together = [format!("[{}]", single.join(", ")), format!("{{{named}}}"), deep];
    single.into_iter().chain(together).map(String::into_bytes).collect()
}
