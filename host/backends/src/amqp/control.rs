//! What is said to every node of an application over RabbitMQ: heard, asked and answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use lapin::options::BasicAckOptions;
use mogbox_core::NodeId;
use mogbox_core::broker::{BrokerError, Control, NodeStatus};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::wire::broadcast::{Broadcast, decode_answer, decode_broadcast};
use tokio::sync::mpsc;

use super::link::{Link, close, consume, unavailable, within};
use super::messages;
use super::names::{self, Declaration};
use super::outage::Outage;
use super::rarely::Rarely;
use crate::redis::broker::RedisBroker;

/// Messages that RabbitMQ sends ahead.
const AHEAD: u16 = 64;

/// Nodes whose answers are gathered at most.
const MOST_NODES: usize = 1_000;

/// Questions that wait for the node's answer; those beyond are not answered.
const MOST_ASKED: usize = 1_024;

/// Who asked what the node has not answered yet: the application, and where the answer goes.
#[derive(Default)]
pub(super) struct Asked(Mutex<HashMap<RequestId, (Tenant, String)>>);

impl Asked {
    fn note(&self, query: RequestId, app: &Tenant, reply_to: &str) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = asked.len() < MOST_ASKED;
        if room {
            asked.insert(query, (app.clone(), reply_to.to_owned()));
        }
        room
    }

    /// Who asked this over RabbitMQ; none where nobody did.
    pub(super) fn take(&self, query: RequestId) -> Option<(Tenant, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&query)
    }
}

/// Listens to one application's control messages.
pub(super) struct Listener {
    pub(super) app: Tenant,
    pub(super) node: NodeId,
    pub(super) link: Arc<Link>,
    pub(super) asked: Arc<Asked>,
    pub(super) heard: mpsc::Sender<Control>,
    /// Where the dead letters are, and under which queue those of this listener.
    pub(super) broker: RedisBroker,
    pub(super) queue: QueueName,
    pub(super) told: Rarely,
}

impl Listener {
    /// Listens until it is aborted.
    pub(super) async fn run(self) {
        let (mut outage, what) = (Outage::none(), format!("listen to control messages of {} on RabbitMQ", self.app));
        loop {
            let Err(error) = self.listen(&mut outage, &what).await;
            outage.goes_on(&what, &error).await;
        }
    }

    async fn listen(&self, outage: &mut Outage, what: &str) -> Result<std::convert::Infallible, BrokerError> {
        let channel = self.link.channel().await?;
        within(Declaration::Control(self.app.clone(), self.node.clone()).make(&channel)).await?;
        let mut messages = consume(&channel, &names::control_queue(&self.app, &self.node), AHEAD).await?;
        outage.ends(what);
        while let Some(delivery) = messages.next().await {
            let delivery = delivery.map_err(unavailable)?;
            let reply_to = delivery.properties.reply_to().as_ref().map(lapin::types::ShortString::as_str);
            if let Err(reason) = self.hear(&delivery.data, reply_to).await {
                if let Some(others) = self.told.now() {
                    tracing::warn!(reason, app = %self.app, others, "a control message is no such message: it is kept with the dead letters");
                }
                self.broker.bury(&self.app, &self.queue, &delivery.data, &reason).await?;
            }
            within(delivery.acker.ack(BasicAckOptions::default())).await?;
        }
        Err(unavailable("the subscription was ended"))
    }

    async fn hear(&self, body: &[u8], reply_to: Option<&str>) -> Result<(), String> {
        let tenant = self.app.clone();
        let message = decode_broadcast(body).map_err(|error| error.to_string())?;
        let control = match (message, reply_to) {
            (Broadcast::Query { id, .. }, Some(reply_to)) => {
                if !self.asked.note(id, &self.app, reply_to) {
                    return Err(format!("over {MOST_ASKED} queries wait for an answer"));
                }
                Control::Status { id, tenant }
            }
            (Broadcast::Revoke { id }, _) => Control::Revoke { tenant, id },
            (Broadcast::Query { .. }, None) => return Err("a query without reply_to: nobody waits for its answer".to_owned()),
        };
        // Nobody listens any more where the node stops.
        let _ = self.heard.send(control).await;
        Ok(())
    }
}

/// Asks every node of an application, of Mognet's and ours. How many there are nobody knows: it takes all the time.
pub(super) async fn ask(link: &Link, app: &Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
    // A name of its own for each question, so that answers to earlier ones are not taken for its own.
    let (channel, asker) = (link.channel().await?, NodeId::random());
    within(Declaration::Callback(app.clone(), asker.clone()).make(&channel)).await?;
    let queue = names::callback_queue(app, &asker);
    let answers = consume(&channel, &queue, AHEAD).await?;
    link.publish(vec![messages::to_all(app, &Broadcast::status_query(), Some(&queue))]).await?;
    let told = answers.filter_map(async |delivery| {
        let delivery = delivery.ok()?;
        within(delivery.acker.ack(BasicAckOptions::default())).await.ok()?;
        decode_answer(&delivery.data).ok()
    });
    let gathered = told.take(MOST_NODES).take_until(tokio::time::sleep(wait)).collect().await;
    close(&channel).await;
    Ok(gathered)
}
