//! The connection to RabbitMQ, made again where it broke, and the channel through which messages are published.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, PublisherConfirm};
use mogbox_core::broker::BrokerError;
use mogbox_core::retry::Backoff;
use tokio::sync::Mutex;

use super::names::Declaration;

/// Time that the server gets for each answer: a connection, or the confirmation of what was published.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who failed to connect just now does not try again at once: those who waited for the same connection would, one after the other.
const PAUSE: Duration = Duration::from_millis(200);

/// A message to publish.
#[derive(Clone)]
pub(super) struct Outgoing {
    /// What must be there for it.
    pub(super) needs: Declaration,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) body: String,
    pub(super) properties: BasicProperties,
    /// Whether it is an error that no queue takes it.
    pub(super) mandatory: bool,
}

/// One connection for everything; each use has a channel of its own.
pub(super) struct Link {
    url: String,
    connection: Mutex<Connected>,
    publisher: Mutex<Option<Publisher>>,
}

/// The connection, where there is one, or when the last attempt at it failed, and why.
#[derive(Default)]
struct Connected {
    connection: Option<Connection>,
    failed: Option<(Instant, BrokerError)>,
}

/// The channel of what is published, and what was declared through it.
struct Publisher {
    channel: Channel,
    declared: HashSet<Declaration>,
}

impl Link {
    pub(super) fn new(url: String) -> Self {
        Self { url, connection: Mutex::default(), publisher: Mutex::default() }
    }

    /// A new channel, over a new connection where the last one broke.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        let mut place = self.connection.lock().await;
        if !place.connection.as_ref().is_some_and(|connection| connection.status().connected()) {
            if let Some((_, error)) = place.failed.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
                return Err(error.clone());
            }
            match self.connect().await {
                Ok(connection) => place.connection = Some(connection),
                Err(error) => {
                    place.failed = Some((Instant::now(), error.clone()));
                    return Err(error);
                }
            }
        }
        let connection = place.connection.as_ref().ok_or_else(|| unavailable("not connected"))?;
        within(connection.create_channel()).await
    }

    async fn connect(&self) -> Result<Connection, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name("mogbox".into());
        let mut uri: AMQPUri = self.url.parse().map_err(unavailable)?;
        if uri.vhost.is_empty() {
            // As Mognet reads an address that ends with a slash.
            "/".clone_into(&mut uri.vhost);
        }
        within(Connection::connect_uri(uri, properties)).await
    }

    /// Publishes messages, and waits until the server has taken all of them. A server that is away is waited for a while; what it may
    /// have taken before it went is sent again, and recognised by its id.
    pub(super) async fn publish(&self, messages: Vec<Outgoing>) -> Result<(), BrokerError> {
        let (started, mut failures) = (Instant::now(), 0);
        loop {
            match self.publish_once(messages.clone()).await {
                Err(_) if started.elapsed() < PATIENCE => failures += 1,
                answer => return answer,
            }
            tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
        }
    }

    async fn publish_once(&self, messages: Vec<Outgoing>) -> Result<(), BrokerError> {
        let confirms = self.send(messages).await?;
        let confirmed = within(try_join_all(confirms)).await?;
        if confirmed.iter().all(|one| matches!(one, Confirmation::Ack(None))) {
            return Ok(());
        }
        // Somebody may have removed what this channel declared.
        *self.publisher.lock().await = None;
        Err(unavailable("RabbitMQ did not take a message: no queue is bound for it, or its disk or memory is full"))
    }

    /// A channel on which anything failed is not used again.
    async fn send(&self, messages: Vec<Outgoing>) -> Result<Vec<PublisherConfirm>, BrokerError> {
        let mut place = self.publisher.lock().await;
        let mut publisher = match place.take().filter(|publisher| publisher.channel.status().connected()) {
            Some(publisher) => publisher,
            None => self.publisher().await?,
        };
        let mut confirms = Vec::with_capacity(messages.len());
        for message in messages {
            confirms.push(within(publisher.send(message)).await?);
        }
        *place = Some(publisher);
        Ok(confirms)
    }

    async fn publisher(&self) -> Result<Publisher, BrokerError> {
        let channel = self.channel().await?;
        within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(Publisher { channel, declared: HashSet::new() })
    }
}

impl Publisher {
    async fn send(&mut self, message: Outgoing) -> lapin::Result<PublisherConfirm> {
        let Outgoing { needs, exchange, routing_key, body, properties, mandatory } = message;
        if !self.declared.contains(&needs) {
            needs.make(&self.channel).await?;
            self.declared.insert(needs);
        }
        let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
        self.channel.basic_publish(exchange.into(), routing_key.into(), options, body.as_bytes(), properties).await
    }
}

/// Begins to take the messages of a queue.
pub(super) async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Result<Consumer, BrokerError> {
    let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
    within(channel.basic_consume(queue.into(), "".into(), options, FieldTable::default())).await
}

/// The answer, where it comes in time.
pub(super) async fn within<T>(call: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(unavailable),
        Err(_) => Err(unavailable(format!("RabbitMQ did not answer within {} s", PATIENCE.as_secs()))),
    }
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> BrokerError {
    BrokerError::Unavailable(error.to_string())
}
