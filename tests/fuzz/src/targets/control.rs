//! `control`: a message to every node, as it comes from a channel on which anybody may publish.

use mogbox_core::wire::control::{decode_control, encode_control};

use crate::Target;
use crate::targets::check_error;

pub(crate) const TARGET: Target = Target { name: "control", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    match decode_control(data) {
        Ok(message) => assert_eq!(decode_control(encode_control(&message).as_bytes()).expect("what is written is read"), message),
        Err(error) => check_error(&error),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    crate::lines(
        r#"{"kind":"modules-changed","tenant":"acme"}
{"kind":"revoke","tenant":"a.b_c-d","id":"00112233-4455-6677-8899-aabbccddeeff"}
{"id":"{00112233-4455-6677-8899-aabbccddeeff}","kind":"revoke","tenant":"a"}
{"tenant":"a","kind":"revoke","more":[1,{"x":null}]}"#,
    )
}
