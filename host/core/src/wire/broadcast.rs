//! Mognet's messages to every node of an application, and the answers to them: `{"id", "kind", "payload", "priority"}`, as that of a
//! request. Knows no broker.

use serde::{Deserialize, Serialize};

use super::WireError;
use super::control::LONGEST_ANSWER;
use crate::broker::NodeStatus;
use crate::ids::{NodeId, RequestId};

/// The priority that Mognet gives every message that is no request.
pub const PRIORITY: u8 = 5;

/// Bytes of the longest message to every node that is read; none of Mognet's is as long.
pub const LONGEST: usize = 4_096;

/// What Mognet's queries ask for.
const STATUS: &str = "Status";

/// What nodes are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload")]
pub enum Broadcast {
    /// Stop this request if you run it.
    Revoke {
        /// Which.
        id: RequestId,
    },
    /// Say what you run, to whom the message says.
    Query {
        /// Of the question.
        id: RequestId,
        /// `Status`: there are no others.
        name: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload")]
enum Answer {
    StatusResponse { id: RequestId, kind: String, node_id: NodeId, payload: Running },
}

#[derive(Serialize, Deserialize)]
struct Running {
    running_request_ids: Vec<RequestId>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    id: RequestId,
    #[serde(flatten)]
    payload: &'a T,
    priority: u8,
}

impl Broadcast {
    /// A question for what nodes run.
    #[must_use]
    pub fn status_query() -> Self {
        Self::Query { id: RequestId::random(), name: STATUS.to_owned() }
    }
}

/// The body of the message with this id that tells every node something.
#[must_use]
pub fn encode_broadcast(id: RequestId, message: &Broadcast) -> String {
    // Names and numbers only: there is nothing that JSON could not say.
    serde_json::to_string(&Envelope { id, payload: message, priority: PRIORITY }).unwrap_or_default()
}

/// What a message tells every node.
///
/// # Errors
/// Where it is longer than [`LONGEST`], not UTF-8 or JSON, or of another kind; fit to be shown with a dead letter.
pub fn decode_broadcast(body: &[u8]) -> Result<Broadcast, WireError> {
    let text = text(body, LONGEST)?;
    let message = serde_json::from_str(text).map_err(|error| WireError::malformed("control message", text, error))?;
    match message {
        Broadcast::Query { name, .. } if name != STATUS => Err(WireError::unknown_kind(&name, STATUS)),
        message => Ok(message),
    }
}

/// The body of the message with this id that answers a question.
#[must_use]
pub fn encode_answer(id: RequestId, query: RequestId, NodeStatus { node_id, running_request_ids }: NodeStatus) -> String {
    let payload = Running { running_request_ids };
    let answer = Answer::StatusResponse { id: query, kind: "StatusResponse".to_owned(), node_id, payload };
    serde_json::to_string(&Envelope { id, payload: &answer, priority: PRIORITY }).unwrap_or_default()
}

/// What a node answers. Which question it answers is not said: Mognet's workers give their answers ids of their own.
///
/// # Errors
/// Where it is longer than [`LONGEST_ANSWER`], or no answer.
pub fn decode_answer(body: &[u8]) -> Result<NodeStatus, WireError> {
    let text = text(body, LONGEST_ANSWER)?;
    let answer = serde_json::from_str(text).map_err(|error| WireError::malformed("answer", text, error))?;
    let Answer::StatusResponse { node_id, payload: Running { running_request_ids }, .. } = answer;
    Ok(NodeStatus { node_id, running_request_ids })
}

fn text(body: &[u8], limit: usize) -> Result<&str, WireError> {
    if body.len() > limit {
        return Err(WireError::TooLarge { what: "a control message", limit });
    }
    std::str::from_utf8(body).map_err(|error| WireError::malformed("control message", &String::from_utf8_lossy(body), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "f7d9f95b-9331-4742-8e84-2467a2cd1154";
    const OTHER: &str = "00e413bc-b672-4ea7-932b-9ce57408c14c";

    #[test]
    fn a_revocation_is_written_as_mognet_writes_it() {
        let text = format!(r#"{{"id":"{ID}","kind":"Revoke","payload":{{"id":"{OTHER}"}},"priority":5}}"#);
        let message = Broadcast::Revoke { id: OTHER.parse().unwrap() };
        assert_eq!(encode_broadcast(ID.parse().unwrap(), &message), text);
        assert_eq!(decode_broadcast(text.as_bytes()).unwrap(), message);
    }

    #[test]
    fn what_nodes_do_not_know_is_refused_with_the_reason() {
        let query = |name: &str| format!(r#"{{"kind":"Query","payload":{{"id":"{ID}","name":"{name}"}}}}"#);
        assert!(decode_broadcast(query("Status").as_bytes()).is_ok());
        let long = query(&"x".repeat(LONGEST));
        for (body, reason) in [
            (query("Health").as_str(), "unknown kind \"Health\": expected \"Status\""),
            (r#"{"kind":"Request","payload":{}}"#, "unknown variant `Request`"),
            (r#"{"kind":"Revoke","payload":{"id":"7"}}"#, "UUID parsing failed"),
            (long.as_str(), "of more than 4096 bytes"),
        ] {
            let error = decode_broadcast(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(decode_broadcast(b"\xff{}").unwrap_err().to_string().contains("invalid utf-8"));
    }

    #[test]
    fn an_answer_is_read_whatever_question_it_answers() {
        let status = NodeStatus { node_id: "node-1".parse().unwrap(), running_request_ids: vec![OTHER.parse().unwrap()] };
        let text = encode_answer(ID.parse().unwrap(), OTHER.parse().unwrap(), status.clone());
        let payload =
            format!(r#"{{"id":"{OTHER}","kind":"StatusResponse","node_id":"node-1","payload":{{"running_request_ids":["{OTHER}"]}}}}"#);
        assert_eq!(text, format!(r#"{{"id":"{ID}","kind":"StatusResponse","payload":{payload},"priority":5}}"#));
        assert_eq!(decode_answer(text.as_bytes()).unwrap(), status);
        assert!(decode_answer(b"{}").is_err());
    }
}
