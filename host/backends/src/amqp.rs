//! The broker over RabbitMQ, in Mognet's wire format: what Mognet's clients submit is run here, and what is submitted here goes through the
//! same queues, where workers of Mognet's may take it. Requests that nodes will soon run lie on Redis, under leases: RabbitMQ knows no
//! renewal, no delay, and no fairness between applications.

mod control;
mod demand;
mod link;
mod messages;
mod names;
mod outage;
mod pump;
mod rarely;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{join_all, try_join};
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use mogbox_core::NodeId;
use mogbox_core::broker::{
    Backlog, Broker, BrokerError, Control, DeadLetter, Delivery, Lease, NodeStatus, Settlement, Submission, Verdict, Wanted,
};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::store::ResultStore;
use mogbox_core::wire::broadcast::Broadcast;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::broker::{BATCH, BrokerSettings};
use crate::redis::broker::RedisBroker;
use control::{Asked, Listener};
use demand::{Call, Demand};
use link::{Link, Outgoing, close, within};
use names::Declaration;
use pump::Pump;
use rarely::Rarely;

/// Control messages that wait for the node.
const HEARD: usize = 1_024;

/// Time in which the last requests are moved when a node stops.
const LAST_MOVES: Duration = Duration::from_secs(2);

/// How often messages that make no sense are told of.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How often a node notes which applications RabbitMQ carries requests for.
const NOTE_EVERY: Duration = Duration::from_hours(1);

/// A node's broker on RabbitMQ and Redis.
pub struct AmqpBroker {
    link: Arc<Link>,
    broker: RedisBroker,
    apps: Vec<Tenant>,
    asked: Arc<Asked>,
    heard: Mutex<Option<mpsc::Receiver<Control>>>,
    /// How many requests of each application the node could run.
    demands: Vec<(Tenant, Arc<Demand>)>,
    /// What moves requests, and what listens; ended with the broker.
    _tasks: JoinSet<()>,
}

/// What a node takes from RabbitMQ, and where to.
pub struct Source {
    /// The server, as `amqp://user:password@host:port/vhost`.
    pub url: String,
    /// Mognet's applications, which are tenants here.
    pub apps: Vec<Tenant>,
    /// The node.
    pub node: NodeId,
    /// The broker that requests are moved to, of the same queues.
    pub broker: RedisBroker,
    /// Where the results of the applications are.
    pub results: Arc<dyn ResultStore>,
}

impl AmqpBroker {
    /// Takes requests from these queues of the applications, and answers their clients, until it is dropped.
    ///
    /// # Errors
    /// Where RabbitMQ does not answer, or has declared the queues otherwise.
    pub async fn start(source: Source, settings: &BrokerSettings) -> Result<Self, BrokerError> {
        let Source { url, apps, node, broker, results } = source;
        let link = Arc::new(Link::new(&url));
        let channel = link.channel().await?;
        for app in &apps {
            for queue in &settings.queues {
                within(Declaration::Tasks(app.clone(), queue.clone()).make(&channel)).await?;
            }
            within(Declaration::Control(app.clone(), node.clone()).make(&channel)).await?;
        }
        close(&channel).await;
        broker.note_carried(&apps).await?;
        let (asked, (sender, heard)) = (Arc::new(Asked::default()), mpsc::channel(HEARD));
        let demands: Vec<_> = apps.iter().map(|app| (app.clone(), Arc::new(Demand::new(apps.len() > 1)))).collect();
        let mut tasks = JoinSet::new();
        for (app, demand) in &demands {
            for queue in &settings.queues {
                let (app, queue, longest_message) = (app.clone(), queue.clone(), settings.longest_message);
                let (link, broker, results, demand) = (Arc::clone(&link), broker.clone(), Arc::clone(&results), Arc::clone(demand));
                tasks.spawn(Pump { app, queue, link, broker, results, demand, longest_message, told: Rarely::every(TOLD_EVERY) }.run());
            }
            let (app, node, queue) = (app.clone(), node.clone(), settings.queues.first().cloned().unwrap_or_default());
            let (link, asked, heard, broker) = (Arc::clone(&link), Arc::clone(&asked), sender.clone(), broker.clone());
            tasks.spawn(Listener { app, node, link, asked, heard, broker, queue, told: Rarely::every(TOLD_EVERY) }.run());
        }
        tasks.spawn(go_on_noting(broker.clone(), apps.clone()));
        Ok(Self { link, broker, apps, asked, heard: Mutex::new(Some(heard)), demands, _tasks: tasks })
    }

    /// How many messages lie ready in one of RabbitMQ's queues.
    async fn ready(&self, app: &Tenant, queue: &QueueName) -> Result<u64, BrokerError> {
        let channel = self.link.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(names::task_queue(app, queue).into(), options, FieldTable::default());
        // Where nobody has declared it, nothing lies in it; the server has closed the channel then.
        let count = within(declared.map(|declared| match declared {
            Err(error) if is_not_found(&error) => Ok(None),
            declared => declared.map(|queue| Some(queue.message_count())),
        }));
        let Some(count) = count.await? else { return Ok(0) };
        close(&channel).await;
        Ok(u64::from(count))
    }

    /// Takes up to `most` messages out of one of RabbitMQ's queues, and adds the ids of their requests to `removed`.
    async fn take_out(&self, app: &Tenant, queue: &QueueName, most: usize, removed: &mut Vec<RequestId>) -> Result<(), BrokerError> {
        let channel = self.link.channel().await?;
        let name = names::task_queue(app, queue);
        for _ in 0..most {
            let options = BasicGetOptions { no_ack: true };
            // What was taken out before RabbitMQ failed is to be told all the same.
            let Ok(Some(message)) = within(channel.basic_get(name.as_str().into(), options)).await else { break };
            let named = message.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
            match named {
                Some(id) => removed.push(id),
                None => self.broker.bury(app, queue, &message.data, "purged: it names no request").await?,
            }
        }
        close(&channel).await;
        Ok(())
    }

    /// Moves nothing more. What RabbitMQ has sent goes back, now, or when the connection ends.
    async fn stop_pumps(&self) {
        let closed = join_all(self.demands.iter().map(|(_, demand)| demand.close()));
        if tokio::time::timeout(LAST_MOVES, closed).await.is_err() {
            tracing::warn!("RabbitMQ does not end its subscriptions: what it has sent goes back when the connection ends");
        }
    }

    /// A call for work begins: each application may fill all of its places, but for those of whom nothing is wanted.
    fn calls_begin(&self, wanted: &Wanted, waits: bool) -> Vec<Call> {
        let places = |app| if wanted.not_of.contains(app) { 0 } else { wanted.most.min(wanted.of_each) };
        self.demands.iter().map(|(app, demand)| demand.begins(places(app), waits)).collect()
    }

    fn calls_end(&self, calls: &[Call], wanted: &Wanted, received: &[Delivery]) {
        let mut brought: HashMap<&Tenant, usize> = HashMap::new();
        for delivery in received {
            *brought.entry(&delivery.lease.tenant).or_default() += 1;
        }
        for ((app, demand), call) in self.demands.iter().zip(calls) {
            demand.ends(call, brought.get(app).copied().unwrap_or(0), wanted.most.saturating_sub(received.len()));
        }
    }

    /// Puts what is given back where workers of Mognet's take it as well. Returns the settlements that Redis needs then, where any differ.
    async fn give_back(&self, settlements: &[Settlement]) -> Option<Vec<Settlement>> {
        let message = |one: &Settlement| {
            let given_back = one.verdict == Verdict::GiveBack && self.serves(&one.lease.tenant);
            one.request.as_deref().filter(|_| given_back).map(|request| messages::given_back(&one.lease, request))
        };
        let back = settlements.iter().enumerate().filter_map(|(at, one)| Some((at, message(one)?)));
        let (places, messages): (Vec<usize>, Vec<Outgoing>) = back.unzip();
        if places.is_empty() {
            return None;
        }
        // Else this node would take them again.
        self.stop_pumps().await;
        if let Err(error) = self.link.publish_now(messages).await {
            tracing::warn!(%error, "cannot give requests back to RabbitMQ: they stay with Mogbox's nodes");
            return None;
        }
        let mut settlements = settlements.to_vec();
        for at in places {
            if let Some(settlement) = settlements.get_mut(at) {
                settlement.verdict = Verdict::Done;
            }
        }
        Some(settlements)
    }

    fn serves(&self, tenant: &Tenant) -> bool {
        self.apps.contains(tenant)
    }
}

async fn go_on_noting(broker: RedisBroker, apps: Vec<Tenant>) {
    loop {
        tokio::time::sleep(NOTE_EVERY).await;
        if let Err(error) = broker.note_carried(&apps).await {
            tracing::warn!(%error, "cannot note which applications RabbitMQ carries requests for");
        }
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    let not_found = AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND);
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(error) if *error.kind() == not_found)
}

#[async_trait]
impl Broker for AmqpBroker {
    /// Requests of other tenants, and those that are to be held back first, are no business of RabbitMQ's.
    async fn submit(&self, submissions: &[Submission]) -> Result<(), BrokerError> {
        let (ours, others): (Vec<_>, Vec<_>) = submissions.iter().partition(|one| self.serves(&one.tenant) && one.delay.is_zero());
        if !others.is_empty() {
            self.broker.submit(&others.into_iter().cloned().collect::<Vec<_>>()).await?;
        }
        if ours.is_empty() {
            return Ok(());
        }
        self.link.publish(ours.into_iter().map(messages::request).collect()).await
    }

    async fn receive(&self, wanted: &Wanted, wait: Duration) -> Result<Vec<Delivery>, BrokerError> {
        let calls = self.calls_begin(wanted, true);
        let received = self.broker.receive(wanted, wait).await;
        self.calls_end(&calls, wanted, received.as_deref().unwrap_or_default());
        received
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Lease>, BrokerError> {
        self.broker.extend(leases).await
    }

    async fn set_waiting(&self, lease: &Lease, waiting: bool) -> Result<(), BrokerError> {
        self.broker.set_waiting(lease, waiting).await
    }

    async fn reshare(&self, tenant: &Tenant) -> Result<(), BrokerError> {
        self.broker.reshare(tenant).await
    }

    async fn exchange(&self, settlements: &[Settlement], wanted: &Wanted) -> Result<Vec<Delivery>, BrokerError> {
        let calls = self.calls_begin(wanted, false);
        let given_back = self.give_back(settlements).await;
        let received = self.broker.exchange(given_back.as_deref().unwrap_or(settlements), wanted).await;
        self.calls_end(&calls, wanted, received.as_deref().unwrap_or_default());
        received
    }

    async fn knows(&self, requests: &[(Tenant, QueueName, RequestId)]) -> Result<Vec<bool>, BrokerError> {
        self.broker.knows(requests).await
    }

    async fn broadcast(&self, message: &Control) -> Result<(), BrokerError> {
        self.broker.broadcast(message).await?;
        match message {
            // Only makes it fast: the REVOKED result is the truth, and many are revoked one after the other.
            Control::Revoke { tenant, id } if self.serves(tenant) => {
                let told = self.link.publish_now(vec![messages::to_all(tenant, &Broadcast::Revoke { id: *id }, None)]).await;
                if let Err(error) = told {
                    tracing::warn!(%error, request = %id, "workers of Mognet's are not told of a revocation");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What nodes say over Redis, and Mognet's clients over RabbitMQ. A second listener gets the former only.
    async fn control(&self) -> Result<BoxStream<'static, Control>, BrokerError> {
        let nodes = self.broker.control().await?;
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(heard) = heard else { return Ok(nodes) };
        let clients = stream::unfold(heard, |mut heard| async move { heard.recv().await.map(|message| (message, heard)) });
        Ok(stream::select(nodes, clients).boxed())
    }

    /// Workers of Mognet's answer as well; a node of ours that answers over both is told of once.
    async fn status(&self, tenant: &Tenant, wait: Duration) -> Result<Vec<NodeStatus>, BrokerError> {
        if !self.serves(tenant) {
            return self.broker.status(tenant, wait).await;
        }
        let (nodes, workers) = try_join(self.broker.status(tenant, wait), control::ask(&self.link, tenant, wait)).await?;
        let by_id: BTreeMap<_, _> = workers.into_iter().chain(nodes).map(|status| (status.node_id.clone(), status)).collect();
        Ok(by_id.into_values().collect())
    }

    async fn answer(&self, query: RequestId, status: NodeStatus) -> Result<(), BrokerError> {
        match self.asked.take(query) {
            // Whoever asked waits for a moment only, and revocations are heard after this.
            Some((app, reply_to)) => self.link.publish_now(vec![messages::answer(&app, reply_to, query, status)]).await,
            None => self.broker.answer(query, status).await,
        }
    }

    async fn purge(&self, tenant: &Tenant, queue: &QueueName, most: usize) -> Result<Vec<RequestId>, BrokerError> {
        let mut removed = self.broker.purge(tenant, queue, most).await?;
        if self.serves(tenant) && removed.len() < most {
            self.take_out(tenant, queue, most - removed.len(), &mut removed).await?;
        }
        Ok(removed)
    }

    /// What RabbitMQ has sent and Redis does not have yet is in neither number for a moment.
    async fn queues(&self, tenant: &Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
        let mut queues = self.broker.queues(tenant).await?;
        if self.serves(tenant) {
            for (queue, backlog) in &mut queues {
                backlog.ready += self.ready(tenant, queue).await?;
            }
        }
        Ok(queues)
    }

    /// Gives back what was moved and not begun.
    async fn leave(&self) -> Result<(), BrokerError> {
        self.stop_pumps().await;
        loop {
            let deliveries = self.broker.receive(&Wanted::any(BATCH), Duration::ZERO).await?;
            let settlements: Vec<Settlement> = deliveries.into_iter().map(|delivery| delivery.give_back(Duration::ZERO)).collect();
            let given_back = self.give_back(&settlements).await;
            self.broker.settle(given_back.as_deref().unwrap_or(&settlements)).await?;
            // What is left is other tenants', or stays.
            if given_back.is_none() {
                return Ok(());
            }
        }
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.broker.probe().await?;
        self.link.channel().await.map(drop)
    }

    async fn dead_letters(&self, tenant: &Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.broker.dead_letters(tenant, most).await
    }
}
