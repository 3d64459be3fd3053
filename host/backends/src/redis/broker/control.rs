//! Messages to every node, and the answers to what they ask, by publish and subscribe.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use mogbox_core::broker::{BrokerError, Control, NodeStatus};
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::retry::Backoff;
use mogbox_core::wire::control::{decode_control, decode_status, encode_control, encode_status};
use redis::aio::PubSubStream;

use crate::redis::{RedisConnection, failure};

/// All nodes of a Redis server listen to it.
const CHANNEL: &str = "mogbox.control";

/// Returns how many listen.
pub(super) async fn broadcast(connection: &RedisConnection, message: &Control) -> Result<usize, BrokerError> {
    Ok(connection.query(redis::cmd("PUBLISH").arg(CHANNEL).arg(encode_control(message))).await?)
}

/// Listens from the time it returns.
pub(super) async fn listen(connection: RedisConnection) -> Result<BoxStream<'static, Control>, BrokerError> {
    let first = subscribe(&connection, CHANNEL).await?;
    Ok(stream::unfold((connection, first), next).boxed())
}

/// Where the answers to a question go.
fn answers(query: RequestId) -> String {
    format!("mogbox.answers.{query}")
}

/// Asks every node, and gathers their answers.
pub(super) async fn status(connection: &RedisConnection, tenant: Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
    let id = RequestId::random();
    let messages = subscribe(connection, &answers(id)).await?;
    let listeners = broadcast(connection, &Control::Status { id, tenant }).await?;
    let told = messages.filter_map(async |message| decode_status(message.get_payload_bytes()).ok());
    let gathered = told.take_until(tokio::time::sleep(wait)).take(listeners).collect();
    Ok(gathered.await)
}

pub(super) async fn answer(connection: &RedisConnection, query: RequestId, status: &NodeStatus) -> Result<(), BrokerError> {
    Ok(connection.query(redis::cmd("PUBLISH").arg(answers(query)).arg(encode_status(status))).await?)
}

async fn subscribe(connection: &RedisConnection, channel: &str) -> Result<PubSubStream, BrokerError> {
    let mut subscriber = connection.subscriber().await?;
    subscriber.subscribe(channel).await.map_err(|error| failure(&error))?;
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
        match subscribe(connection, CHANNEL).await {
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
