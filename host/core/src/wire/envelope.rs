//! The body of a message that carries a request: `{"id", "kind", "payload", "priority"}`. Knows no broker.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::WireError;
use crate::ids::RequestId;
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
