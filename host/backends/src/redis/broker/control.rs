//! Messages to every node, by publish and subscribe. Knows nothing of what is in them.

use futures::stream::{self, BoxStream, StreamExt as _};
use mogbox_core::broker::{BrokerError, Control};
use mogbox_core::retry::Backoff;
use mogbox_core::wire::control::{decode_control, encode_control};
use redis::aio::PubSubStream;

use crate::redis::{RedisConnection, failure};

/// All nodes of a Redis server listen to it.
const CHANNEL: &str = "mogbox.control";

pub(super) async fn broadcast(connection: &RedisConnection, message: &Control) -> Result<(), BrokerError> {
    Ok(connection.query::<()>(redis::cmd("PUBLISH").arg(CHANNEL).arg(encode_control(message))).await?)
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
    decode_control(payload).inspect_err(|error| tracing::warn!(%error, "a control message is passed over")).ok()
}
