//! A tenant whose modules somebody must vouch for.

use std::fs;
use std::io::Cursor;

use minisign::KeyPair;
use serde_json::json;

use super::pair::Closed;
use crate::support::{binary, guests, run, untold};

fn signature(pair: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None).unwrap().into_string()
}

#[test]
fn a_tenant_with_a_key_takes_what_is_signed_by_it_and_receipts_name_the_key() {
    let (pair, stranger) = (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let closed = Closed::start(&[]);
    let signed = closed.tenant("signed", json!({ "signing_keys": [pair.pk.to_base64()] }));
    let token = closed.token("signed", &["upload"]);
    let add = fs::read(guests::EXAMPLE_ADD).unwrap();
    signed.upload("add", &add).problem(422, "signature-required");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("add.minisig");
    let push = || {
        let mut command = untold(binary());
        command.env("MOGBOX_TOKEN", &token).args(["--server", closed.node.url(), "push", guests::EXAMPLE_ADD, "--signature"]);
        run(command.arg(&file))
    };
    for (key, bytes) in [(&stranger, add.as_slice()), (&pair, b"something else")] {
        fs::write(&file, signature(key, bytes)).unwrap();
        push().failed();
        assert_eq!(signed.get("/v1/modules").ok()["modules"], json!([]));
    }
    fs::write(&file, signature(&pair, &add)).unwrap();
    assert!(push().ok().contains("signed by"));
    let request = signed.run("example.add", json!([1, 2]));
    let key = signed.get("/v1/modules").ok()["modules"][0]["signed_by"].clone();
    assert_eq!((&request["value"], &request["report"]["receipt"]["signed_by"]), (&json!(3.0), &key), "{request}");
    assert!(key.as_str().is_some_and(|key| key.len() == 16), "{key}");
    // Nobody else has to.
    let free = closed.tenant("free", json!({}));
    free.push(guests::EXAMPLE_ADD);
    assert_eq!(free.run("example.add", json!([1, 2]))["report"]["receipt"].get("signed_by"), None);
}
