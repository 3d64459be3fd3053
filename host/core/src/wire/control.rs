//! Messages to every node: a short JSON object each. Whoever may publish where they pass may send anything: they are read with care.

use serde::de::DeserializeOwned;

use super::WireError;
use crate::broker::{Control, NodeStatus};

/// Bytes of the longest message that is read; none of ours is as long.
pub const LONGEST: usize = 1_024;

/// Bytes of the longest answer that is read: a node that runs twice as many requests as it may does not say as much.
pub const LONGEST_ANSWER: usize = 1 << 20;

/// A message as it is sent.
#[must_use]
pub fn encode_control(message: &Control) -> String {
    // Names only: there is nothing that JSON could not say.
    serde_json::to_string(message).unwrap_or_default()
}

/// The message that these bytes hold.
///
/// # Errors
/// Where there are more than [`LONGEST`], or they are no message of ours.
pub fn decode_control(payload: &[u8]) -> Result<Control, WireError> {
    decode(payload, LONGEST)
}

/// What a node says of itself, as it is sent.
#[must_use]
pub fn encode_status(status: &NodeStatus) -> String {
    serde_json::to_string(status).unwrap_or_default()
}

/// What the node says of itself whose answer these bytes are.
///
/// # Errors
/// Where there are more than [`LONGEST_ANSWER`], or they are no answer.
pub fn decode_status(payload: &[u8]) -> Result<NodeStatus, WireError> {
    decode(payload, LONGEST_ANSWER)
}

fn decode<T: DeserializeOwned>(payload: &[u8], limit: usize) -> Result<T, WireError> {
    if payload.len() > limit {
        return Err(WireError::TooLarge { what: "a control message", limit });
    }
    serde_json::from_slice(payload).map_err(|error| WireError::malformed("control message", &String::from_utf8_lossy(payload), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_control_message_is_refused() {
        let huge = format!(r#"{{"kind":"modules-changed","tenant":"{}"}}"#, "x".repeat(2_000));
        for hostile in ["", "null", "{}", "[[[[", r#"{"kind":"modules-changed","tenant":"a b"}"#, &huge] {
            assert!(decode_control(hostile.as_bytes()).is_err(), "{hostile}");
        }
        assert!(decode_control(b"\xff\xfe").is_err());
    }

    #[test]
    fn a_message_is_read_as_it_was_sent() {
        let (tenant, id) = ("acme".parse().unwrap(), crate::RequestId::random());
        let status = Control::Status { id, tenant: "c".parse().unwrap() };
        for message in [Control::ModulesChanged { tenant }, Control::Revoke { tenant: "b".parse().unwrap(), id }, status] {
            assert_eq!(decode_control(encode_control(&message).as_bytes()).unwrap(), message);
        }
        let status = NodeStatus { node_id: crate::NodeId::random(), running_request_ids: vec![id] };
        assert_eq!(decode_status(encode_status(&status).as_bytes()).unwrap(), status);
    }
}
