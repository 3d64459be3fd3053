//! `result`: the hash of a result, whose fields other programs write too. A line of the input is a field, `name=text`.

use mogbox_core::wire::result::{read_result, result_fields};
use serde_json::Value;

use crate::Target;
use crate::targets::check_error;

pub(crate) const TARGET: Target = Target { name: "result", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fields = text.split('\n').filter_map(|line| line.split_once('='));
    match read_result(fields.map(|(name, text)| (name.to_owned(), text.to_owned()))) {
        Ok(result) => {
            let written = result_fields(&result);
            let again =
                read_result(written.iter().map(|(name, text)| ((*name).to_owned(), text.clone()))).expect("what is written is read");
            assert_eq!(result_fields(&again), written);
            assert_eq!((again.id, again.name, again.state), (result.id, result.name, result.state));
        }
        Err(error) => check_error(&error),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let captured: Value = serde_json::from_str(include_str!("../../../data/mognet/results.json")).expect("captured results");
    let hash = |case: &Value| {
        let fields = case["fields"].as_object().expect("fields of a result").iter();
        fields.map(|(name, text)| format!("{name}={}\n", text.as_str().unwrap_or_default())).collect::<String>().into_bytes()
    };
    let retried = b"id=\"00112233-4455-6677-8899-aabbccddeeff\"\nstate=\"SUSPENDED\"\nretries=2\ncreated=\"9999-12-30T22:00:00.9999999Z\"";
    captured.as_array().expect("a list of results").iter().map(hash).chain([retried.to_vec()]).collect()
}
