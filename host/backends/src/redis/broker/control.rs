//! Messages to every node, by publish and subscribe. Whoever may publish on the channel may send anything: it is read with care.

use futures::stream::{self, BoxStream, StreamExt as _};
use mogbox_core::broker::{BrokerError, Control};
use mogbox_core::retry::Backoff;
use redis::aio::PubSubStream;

use crate::redis::{RedisConnection, failure};

/// All nodes of a Redis server listen to it.
const CHANNEL: &str = "mogbox.control";

/// No message of ours is as long.
const LONGEST: usize = 1_024;

pub(super) async fn broadcast(connection: &RedisConnection, message: &Control) -> Result<(), BrokerError> {
    let text = serde_json::to_string(message).map_err(|error| BrokerError::Malformed(error.to_string()))?;
    Ok(connection.query::<()>(redis::cmd("PUBLISH").arg(CHANNEL).arg(text)).await?)
}

/// Listens from the time it returns.
pub(super) async fn listen(connection: RedisConnection) -> Result<BoxStream<'static, Control>, BrokerError> {
    let first = subscribe(&connection).await?;
    Ok(stream::unfold((connection, first), next).boxed())
}

async fn subscribe(connection: &RedisConnection) -> Result<PubSubStream, BrokerError> {
    let mut subscriber = connection.subscriber().await?;
    subscriber.subscribe(CHANNEL).await.map_err(|error| failure(&error))?;
    Ok(subscriber.into_on_message())
}

async fn next((connection, mut messages): (RedisConnection, PubSubStream)) -> Option<(Control, (RedisConnection, PubSubStream))> {
    loop {
        while let Some(message) = messages.next().await {
            if let Some(control) = read(message.get_payload_bytes()) {
                return Some((control, (connection, messages)));
            }
        }
        messages = resubscribe(&connection).await;
    }
}

async fn resubscribe(connection: &RedisConnection) -> PubSubStream {
    let mut failures = 0;
    loop {
        match subscribe(connection).await {
            Ok(messages) => return messages,
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "cannot listen to control messages; trying again");
                tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
            }
        }
    }
}

fn read(payload: &[u8]) -> Option<Control> {
    if payload.len() > LONGEST {
        tracing::warn!(length = payload.len(), "a control message of more than {LONGEST} bytes is passed over");
        return None;
    }
    serde_json::from_slice(payload).inspect_err(|error| tracing::warn!(%error, "a malformed control message is passed over")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_control_message_is_passed_over() {
        let huge = format!(r#"{{"kind":"modules-changed","tenant":"{}"}}"#, "x".repeat(2_000));
        for hostile in ["", "null", "{}", "[[[[", r#"{"kind":"modules-changed","tenant":"a b"}"#, &huge] {
            assert_eq!(read(hostile.as_bytes()), None, "{hostile}");
        }
        assert_eq!(read(b"\xff\xfe"), None);
        assert!(read(br#"{"kind":"modules-changed","tenant":"acme"}"#).is_some());
    }
}
