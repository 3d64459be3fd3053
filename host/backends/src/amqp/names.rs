//! What Mognet calls its exchanges and queues, and how it declares them. Declared otherwise, its clients would fail.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use mogbox_core::NodeId;
use mogbox_core::ids::{QueueName, Tenant};

/// Priorities of a task queue go up to this.
const MAX_PRIORITY: u8 = 10;

/// Milliseconds that a queue of one node's lives without a consumer, and a message in it.
const NODE_QUEUE_LIFE: i32 = 30_000;

/// Where requests go: direct, durable.
pub(super) fn task_exchange(app: &Tenant) -> String {
    format!("{app}.mognet.direct")
}

/// Where messages to every node go: fanout.
pub(super) fn control_exchange(app: &Tenant) -> String {
    format!("{app}.mognet.control")
}

/// A queue of requests; also what it is bound by.
pub(super) fn task_queue(app: &Tenant, queue: &QueueName) -> String {
    format!("{app}.{queue}")
}

/// The queue of one node's control messages.
pub(super) fn control_queue(app: &Tenant, node: &NodeId) -> String {
    format!("{app}.mognet.control.{node}")
}

/// Where the answers to one node's questions come in; also what it is bound by.
pub(super) fn callback_queue(app: &Tenant, node: &NodeId) -> String {
    format!("{app}.mognet.callback.{node}")
}

/// What must be there before a message is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Declaration {
    /// The exchange of an application's requests, and one of its queues.
    Tasks(Tenant, QueueName),
    /// The exchange of an application's requests.
    TaskExchange(Tenant),
    /// The exchange of an application's control messages.
    ControlExchange(Tenant),
    /// One node's queue of an application's control messages.
    Control(Tenant, NodeId),
    /// One node's queue of answers.
    Callback(Tenant, NodeId),
}

impl Declaration {
    /// Declares it, where it is not there yet.
    pub(super) async fn make(&self, channel: &Channel) -> Result<(), lapin::Error> {
        match self {
            Self::Tasks(app, queue) => tasks(channel, app, queue).await,
            Self::TaskExchange(app) => exchange(channel, &task_exchange(app), ExchangeKind::Direct).await,
            Self::ControlExchange(app) => exchange(channel, &control_exchange(app), ExchangeKind::Fanout).await,
            Self::Control(app, node) => {
                exchange(channel, &control_exchange(app), ExchangeKind::Fanout).await?;
                node_queue(channel, &control_exchange(app), &control_queue(app, node), "").await
            }
            Self::Callback(app, node) => {
                exchange(channel, &task_exchange(app), ExchangeKind::Direct).await?;
                let queue = callback_queue(app, node);
                node_queue(channel, &task_exchange(app), &queue, &queue).await
            }
        }
    }
}

/// The exchange of tasks outlives the server's restart.
async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), lapin::Error> {
    let options = ExchangeDeclareOptions { durable: kind == ExchangeKind::Direct, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

async fn tasks(channel: &Channel, app: &Tenant, queue: &QueueName) -> Result<(), lapin::Error> {
    let name = task_queue(app, queue);
    exchange(channel, &task_exchange(app), ExchangeKind::Direct).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-priority".into(), AMQPValue::ShortShortUInt(MAX_PRIORITY));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.as_str().into(), options, arguments).await?;
    bind(channel, &name, &task_exchange(app), &name).await
}

/// A queue that goes with its node.
async fn node_queue(channel: &Channel, exchange: &str, queue: &str, routing_key: &str) -> Result<(), lapin::Error> {
    let mut arguments = FieldTable::default();
    for name in ["x-expires", "x-message-ttl"] {
        arguments.insert(name.into(), AMQPValue::LongInt(NODE_QUEUE_LIFE));
    }
    let options = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, arguments).await?;
    bind(channel, queue, exchange, routing_key).await
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, routing_key: &str) -> Result<(), lapin::Error> {
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), routing_key.into(), options, FieldTable::default()).await
}
