//! `control`: a message to every node, in our form and in Mognet's, as it comes from where anybody may publish; and the answers.

use mogbox_core::RequestId;
use mogbox_core::wire::broadcast::{decode_answer, decode_broadcast, encode_answer, encode_broadcast};
use mogbox_core::wire::control::{decode_control, encode_control};

use crate::Target;
use crate::targets::check_error;

pub(crate) const TARGET: Target = Target { name: "control", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    match decode_control(data) {
        Ok(message) => assert_eq!(decode_control(encode_control(&message).as_bytes()).expect("what is written is read"), message),
        Err(error) => check_error(&error),
    }
    let id = RequestId::random();
    match decode_broadcast(data) {
        Ok(message) => assert_eq!(decode_broadcast(encode_broadcast(id, &message).as_bytes()).expect("what is written is read"), message),
        Err(error) => check_error(&error),
    }
    match decode_answer(data) {
        Ok(status) => assert_eq!(decode_answer(encode_answer(id, id, status.clone()).as_bytes()).expect("what is written is read"), status),
        Err(error) => check_error(&error),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    crate::lines(
        r#"{"kind":"modules-changed","tenant":"acme"}
{"kind":"revoke","tenant":"a.b_c-d","id":"00112233-4455-6677-8899-aabbccddeeff"}
{"id":"{00112233-4455-6677-8899-aabbccddeeff}","kind":"revoke","tenant":"a"}
{"tenant":"a","kind":"revoke","more":[1,{"x":null}]}
{"kind":"status","tenant":"a","id":"00112233-4455-6677-8899-aabbccddeeff"}
{"id":"1","kind":"Revoke","payload":{"id":"00112233-4455-6677-8899-aabbccddeeff"},"priority":5}
{"id":"1","kind":"Query","payload":{"id":"00112233-4455-6677-8899-aabbccddeeff","name":"Status"},"priority":5}
{"kind":"StatusResponse","payload":{"id":"00112233-4455-6677-8899-aabbccddeeff","kind":"StatusResponse","node_id":"n","payload":{"running_request_ids":[]}}}"#,
    )
}
