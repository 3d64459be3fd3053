//! `message`: the body of a message that carries a request, as a broker hands it out.

use mogbox_core::wire::envelope::{decode_request, encode_request};

use crate::Target;
use crate::targets::check_error;

const LIMIT: usize = 1 << 20;

pub(crate) const TARGET: Target = Target { name: "message", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    match decode_request(data, LIMIT) {
        Ok(request) => {
            let body = encode_request(&request);
            let again = decode_request(body.as_bytes(), usize::MAX).expect("what is written is read");
            assert_eq!(again, request);
            assert_eq!(encode_request(&again), body);
        }
        Err(error) => check_error(&error),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let id = "00112233-4455-6677-8899-aabbccddeeff";
    let payload = |rest: &str| format!(r#"{{"kind":"Request","payload":{{"id":"{id}","name":"t",{rest}}}}}"#).into_bytes();
    let written = [
        payload(r#""deadline":"PT1H2.5S","queue_name":"q","priority":-3"#),
        payload(r#""deadline":1e300,"args":[[[[]]]],"kwargs":{"a":{"b":[]}}"#),
        payload(r#""deadline":"2026-11-25T12:00:00","metadata":{"k":"\ud83d\ude00"},"metadata":{}"#),
        payload(r#""stack":["00112233445566778899aabbccddeeff"],"kwargs_repr":"1","priority":300"#),
    ];
    crate::lines(include_str!("../../../data/mognet/requests.txt")).into_iter().chain(written).collect()
}
