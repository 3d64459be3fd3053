//! The connections to RabbitMQ, made again where they broke, and the channel through which messages are published.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, PublisherConfirm};
use mogbox_core::broker::BrokerError;
use mogbox_core::retry::Backoff;
use tokio::sync::Mutex;

use super::names::Declaration;

/// Time that the server gets for each answer: a connection, or the confirmation of what was published.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time for what is not worth more waiting: it has another way, or only makes things faster.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

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

/// Two connections, as a server that is short of memory or disk reads nothing any more from one that publishes: what is taken from it
/// must go on to be acknowledged. Each use has a channel of its own.
pub(super) struct Link {
    takes: Connected,
    publishes: Connected,
    publisher: Mutex<Option<Publisher>>,
}

/// A connection, made again where it broke.
struct Connected {
    url: String,
    place: Mutex<Place>,
}

/// The connection, where there is one, or when the last attempt at it failed, and why.
#[derive(Default)]
struct Place {
    connection: Option<Connection>,
    failed: Option<(Instant, BrokerError)>,
}

/// The channel of what is published, and what was declared through it.
struct Publisher {
    channel: Channel,
    declared: HashSet<Declaration>,
}

impl Connected {
    fn new(url: &str) -> Self {
        Self { url: url.to_owned(), place: Mutex::default() }
    }

    /// A new channel, over a new connection where the last one broke.
    async fn channel(&self) -> Result<Channel, BrokerError> {
        let mut place = in_time(PATIENCE, self.place.lock()).await?;
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
        let channel = within(connection.create_channel()).await;
        if channel.is_err() {
            place.connection = None;
        }
        channel
    }

    async fn connect(&self) -> Result<Connection, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name("mogbox".into());
        let mut uri: AMQPUri = self.url.parse().map_err(unavailable)?;
        if uri.scheme == AMQPScheme::AMQPS {
            return Err(unavailable(
                "amqps is not supported: connect through a tunnel, such as stunnel or ssh, with an address of amqp://",
            ));
        }
        if uri.vhost.is_empty() {
            // As Mognet reads an address that ends with a slash.
            "/".clone_into(&mut uri.vhost);
        }
        within(Connection::connect_uri(uri, properties)).await
    }
}

impl Link {
    pub(super) fn new(url: &str) -> Self {
        Self { takes: Connected::new(url), publishes: Connected::new(url), publisher: Mutex::default() }
    }

    /// A new channel for everything but publishing.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        self.takes.channel().await
    }

    /// Publishes messages, and waits until the server has taken all of them. A server that is away is waited for a while; what it may
    /// have taken before it went is sent again, and recognised by its id.
    pub(super) async fn publish(&self, messages: Vec<Outgoing>) -> Result<(), BrokerError> {
        let (started, mut failures) = (Instant::now(), 0);
        loop {
            match self.publish_once(messages.clone()).await {
                Err(Refusal::Failed(_)) if started.elapsed() < PATIENCE => failures += 1,
                answer => return answer.map_err(BrokerError::from),
            }
            tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
        }
    }

    /// Publishes messages where the server takes them now.
    pub(super) async fn publish_now(&self, messages: Vec<Outgoing>) -> Result<(), BrokerError> {
        in_time(SHORT_PATIENCE, self.publish_once(messages)).await?.map_err(BrokerError::from)
    }

    async fn publish_once(&self, messages: Vec<Outgoing>) -> Result<(), Refusal> {
        let confirms = self.send(messages).await?;
        for confirmed in within(try_join_all(confirms)).await? {
            match confirmed {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(returned)) => return Err(Refusal::NoQueue(returned.delivery.routing_key.to_string())),
                _ => return Err(unavailable("a message was not taken").into()),
            }
        }
        Ok(())
    }

    /// A channel on which anything failed is not used again.
    async fn send(&self, messages: Vec<Outgoing>) -> Result<Vec<PublisherConfirm>, BrokerError> {
        let mut place = in_time(PATIENCE, self.publisher.lock()).await?;
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
        let channel = self.publishes.channel().await?;
        within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(Publisher { channel, declared: HashSet::new() })
    }
}

/// Why a message was not taken.
enum Refusal {
    /// Nobody has a queue of that name: waiting does not help.
    NoQueue(String),
    Failed(BrokerError),
}

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for BrokerError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoQueue(name) => unavailable(format!("there is no queue {name:?}: start a worker that takes from it")),
            Refusal::Failed(error) => error,
        }
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

/// Begins to take the messages of a queue, of which so many are sent ahead of their acknowledgement.
pub(super) async fn consume(channel: &Channel, queue: &str, ahead: u16) -> Result<Consumer, BrokerError> {
    within(channel.basic_qos(ahead, BasicQosOptions::default())).await?;
    within(channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())).await
}

/// Ends the use of a channel; where that fails, it ends with its connection.
pub(super) async fn close(channel: &Channel) {
    let _ = within(channel.close(200, "".into())).await;
}

/// The answer, where it comes in time.
pub(super) async fn within<T>(call: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
    in_time(PATIENCE, call).await?.map_err(unavailable)
}

async fn in_time<T>(patience: Duration, call: impl Future<Output = T>) -> Result<T, BrokerError> {
    let late = |_| unavailable(format!("no answer within {} s", patience.as_secs()));
    tokio::time::timeout(patience, call).await.map_err(late)
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> BrokerError {
    BrokerError::Unavailable(format!("RabbitMQ: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_asks_for_tls_is_not_spoken_to_in_plain_text() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Link::new(&format!("amqps://{}", listener.local_addr().unwrap()));
        let refused = link.channel().await.unwrap_err().to_string();
        assert!(refused.contains("amqps is not supported") && refused.contains("tunnel"), "{refused}");
        assert!(futures::FutureExt::now_or_never(listener.accept()).is_none());
    }
}
