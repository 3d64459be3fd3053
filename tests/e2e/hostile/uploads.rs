//! Uploads that are refused: no components, broken ones, ones with too much in them, with names that play tricks, with a describe that
//! misbehaves, and calls that send them as no client does. Each is told why, while another tenant's requests go on.

mod bytes;
mod calls;
mod crowd;
mod describe;
mod encode;
mod names;
mod parts;

use serde_json::json;

use super::victim::Victim;

/// What somebody uploads, and what he is told.
struct Upload {
    name: &'static str,
    bytes: Vec<u8>,
    told: &'static str,
}

/// A case of a table. `tests/CORPUS.md` has its name.
fn upload(name: &'static str, bytes: impl Into<Vec<u8>>, told: &'static str) -> Upload {
    Upload { name, bytes: bytes.into(), told }
}

/// Each of them is refused with what is told, and the node is none the worse after each.
#[track_caller]
fn are_refused(uploads: impl IntoIterator<Item = Upload>) {
    let victim = Victim::with_defaults();
    let api = victim.tenant("refused");
    let otherwise: Vec<String> = victim.while_others_work(|| {
        let told_otherwise = |Upload { name, bytes, told }: Upload| {
            let answer = api.upload("guest", &bytes);
            victim.still_serves(name);
            let as_told = answer.body["code"] == "module-refused" && answer.body["detail"].as_str().is_some_and(|text| text.contains(told));
            (!as_told).then(|| format!("{name}: {answer:?} is not {told:?}"))
        };
        uploads.into_iter().filter_map(told_otherwise).collect()
    });
    assert!(otherwise.is_empty(), "{otherwise:#?}");
    assert_eq!(api.get("/v1/modules").ok()["modules"], json!([]));
}
