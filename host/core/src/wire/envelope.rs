//! The body of a message that carries a request: `{"id", "kind", "payload", "priority"}`. Knows no broker.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::WireError;
use crate::ids::{RequestId, TaskName};
use crate::request::Request;

const KIND: &str = "Request";

#[derive(Serialize)]
struct Outgoing<'a> {
    id: RequestId,
    kind: &'static str,
    payload: &'a Request,
    priority: u8,
}

/// What matters of a body that comes in: the id and the priority are those of the payload.
#[derive(Deserialize)]
struct Incoming<'a> {
    kind: String,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// The body of the message that carries a request.
#[must_use]
pub fn encode_request(request: &Request) -> String {
    let envelope = Outgoing { id: request.id, kind: KIND, payload: request, priority: request.priority };
    // Text, numbers, lists and maps with text keys only: there is nothing that JSON could not say.
    serde_json::to_string(&envelope).unwrap_or_default()
}

/// The request that a message of at most `limit` bytes carries.
///
/// # Errors
/// Where the body is too large, not UTF-8 or JSON, of another kind, or its payload is no request; fit to be shown with a dead letter.
pub fn decode_request(body: &[u8], limit: usize) -> Result<Request, WireError> {
    if body.len() > limit {
        return Err(WireError::TooLarge { what: "a message", limit });
    }
    let text = std::str::from_utf8(body).map_err(|error| WireError::malformed("message", &String::from_utf8_lossy(body), error))?;
    let envelope: Incoming<'_> = serde_json::from_str(text).map_err(|error| WireError::malformed("message", text, error))?;
    if envelope.kind != KIND {
        return Err(WireError::unknown_kind(&envelope.kind, KIND));
    }
    let payload = envelope.payload.get();
    serde_json::from_str(payload).map_err(|error| WireError::malformed("payload", payload, error))
}

/// What a request says of itself whose task no module can ever serve.
#[derive(Deserialize)]
struct Misnamed {
    id: RequestId,
    name: String,
}

/// The id and the task of a message that carries a request, but for its task's name, which is none that a module can serve. A client of
/// Mognet's may ask for any.
#[must_use]
pub fn misnamed_task(body: &[u8]) -> Option<(RequestId, String)> {
    let text = std::str::from_utf8(body).ok()?;
    let envelope = serde_json::from_str(text).ok().filter(|envelope: &Incoming<'_>| envelope.kind == KIND)?;
    let Misnamed { id, name } = serde_json::from_str(envelope.payload.get()).ok()?;
    name.parse::<TaskName>().is_err().then_some((id, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn refusal(body: &[u8]) -> String {
        decode_request(body, LIMIT).unwrap_err().to_string()
    }

    fn with_payload(payload: &str) -> Vec<u8> {
        format!(r#"{{"id":"1","kind":"Request","payload":{payload},"priority":5}}"#).into_bytes()
    }

    #[test]
    fn bodies_are_written_as_mognet_writes_them_byte_for_byte() {
        let bodies = include_str!("../../../../tests/data/mognet/requests.txt");
        assert_eq!(bodies.lines().count(), 4);
        for body in bodies.lines() {
            let request = decode_request(body.as_bytes(), LIMIT).unwrap();
            assert_eq!(encode_request(&request), body);
        }
    }

    #[test]
    fn absent_fields_have_mognets_defaults_and_further_ones_are_ignored() {
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        let body = format!(r#"{{"kind":"Request","new":[],"payload":{{"id":"{id}","name":"t.add","new":{{"a":1}}}}}}"#);
        let request = decode_request(body.as_bytes(), LIMIT).unwrap();
        let defaults = Request { id: id.parse().unwrap(), ..Request::new("t.add".parse().unwrap()) };
        assert_eq!(request, defaults);
    }

    #[test]
    fn a_task_whose_name_nothing_can_have_is_told_with_its_request() {
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        let named = |name: &str| misnamed_task(&with_payload(&format!(r#"{{"id":"{id}","name":"{name}"}}"#)));
        assert_eq!(named("demo.<locals>.task"), Some((id.parse().unwrap(), "demo.<locals>.task".to_owned())));
        assert_eq!((named("demo.add"), misnamed_task(b"{}"), misnamed_task(b"\xff")), (None, None, None));
    }

    #[test]
    fn the_size_is_checked_before_the_text() {
        assert_eq!(decode_request(b"\xff{", 1).unwrap_err().to_string(), "a message of more than 1 bytes: at most that many are allowed");
    }

    #[test]
    fn a_refusal_names_what_is_wrong() {
        let cases: [(Vec<u8>, &[&str]); 9] = [
            (b"\xff\xfe{}".to_vec(), &["malformed message", "invalid utf-8"]),
            (b"hello".to_vec(), &["malformed message \"hello\"", "expected value"]),
            (b"{}".to_vec(), &["malformed message \"{}\"", "missing field `kind`"]),
            (br#"{"kind":"Reqest","payload":{}}"#.to_vec(), &["unknown kind \"Reqest\"", "expected \"Request\""]),
            (with_payload("{}"), &["malformed payload \"{}\"", "missing field `id`"]),
            (with_payload(r#"{"id":"7","name":"t"}"#), &["malformed payload", "UUID parsing failed"]),
            (with_payload(r#"{"id":"00112233-4455-6677-8899-aabbccddeeff","name":"a b"}"#), &["invalid task name \"a b\""]),
            (
                with_payload(r#"{"id":"00112233-4455-6677-8899-aabbccddeeff","name":"t","deadline":"soon"}"#),
                &["\"soon\"", "expected an ISO 8601 duration"],
            ),
            (with_payload(r#"{"id":"00112233-4455-6677-8899-aabbccddeeff","name":"t","args":{}}"#), &["expected a sequence"]),
        ];
        for (body, parts) in cases {
            let text = refusal(&body);
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }

    #[test]
    fn endless_depth_and_endless_texts_are_refused_in_short_words() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = with_payload(&format!(r#"{{"id":"00112233-4455-6677-8899-aabbccddeeff","name":"t","args":[{deep}]}}"#));
        let text = refusal(&body);
        assert!(text.contains("nested deeper than 64") && text.len() < 1_000, "{text}");
        assert!(refusal(&with_payload(&format!(r#""{}""#, "x".repeat(100_000)))).len() < 1_000);
        assert!(refusal(deep.as_bytes()).len() < 1_000);
    }
}
