//! The stores and the broker of a test, as a client of the nodes sees them, with a queue and a tenant of the test's own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mogbox_backends::amqp::{AmqpBroker, Source};
use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::embedded::broker::EmbeddedBroker;
use mogbox_backends::embedded::{Database, EmbeddedIntake, EmbeddedModules, EmbeddedResults, EmbeddedState};
use mogbox_backends::redis::broker::RedisBroker;
use mogbox_backends::redis::{RedisConnection, RedisIntake, RedisModules, RedisResults, RedisState};
use mogbox_core::broker::{Backlog, Broker};
use mogbox_core::catalog::Catalog;
use mogbox_core::context::NewChild;
use mogbox_core::entries::Entries;
use mogbox_core::ids::{NodeId, QueueName, RequestId, Tenant};
use mogbox_core::intake::{InTurn, Intake};
use mogbox_core::json::Json;
use mogbox_core::limits::Limits;
use mogbox_core::module::TaskDescription;
use mogbox_core::request::Request;
use mogbox_core::result::{RequestResult, State, Value};
use mogbox_core::signature::KeyId;
use mogbox_core::store::{ModuleStore, ResultStore, StateStore, WaitMode};
use mogbox_core::submit::Submitter;
use mogbox_fixtures::RabbitServer;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::event::soon;
use crate::harness::{fresh_tenant, redis_connection, redis_url};
use crate::node::{Node, Options};
use crate::noted::Noted;
use crate::script::Script;

/// The task of most tests.
pub(crate) const TASK: &str = "demo.task";
/// A task that submits others.
pub(crate) const PARENT: &str = "demo.parent";
/// A task that is submitted by another.
pub(crate) const CHILD: &str = "demo.child";

/// Names each test once and runs it on a world of each kind.
macro_rules! on_all {
    ($world:ty; $($name:ident)*) => {
        $crate::harness::on_both! { $world; $($name)* }
        mod amqp {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(<$world>::amqp().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_all;

/// Where brokers come from.
#[derive(Clone)]
pub(crate) enum Backend {
    Redis(String),
    Embedded(EmbeddedBroker),
    Amqp(Amqp),
}

impl Backend {
    /// A broker whose connection, where it has one, lives in the present runtime.
    pub(crate) async fn broker(&self, settings: BrokerSettings) -> Arc<dyn Broker> {
        match self {
            Self::Redis(url) => Arc::new(redis_broker(url, settings).await),
            Self::Embedded(broker) => Arc::new(broker.with(settings).unwrap()),
            Self::Amqp(amqp) => Arc::new(amqp.broker(settings).await),
        }
    }

    /// A broker for who renews leases.
    pub(crate) async fn lease_broker(&self, settings: BrokerSettings) -> Arc<dyn Broker> {
        match self {
            Self::Amqp(amqp) => Arc::new(redis_broker(&amqp.redis, settings).await),
            other => other.broker(settings).await,
        }
    }

    async fn intake(&self, settings: BrokerSettings) -> Arc<dyn Intake> {
        match self {
            Self::Redis(url) => Arc::new(RedisIntake::new(redis_broker(url, settings).await)),
            Self::Embedded(broker) => Arc::new(EmbeddedIntake::new(broker.with(settings).unwrap())),
            Self::Amqp(amqp) => Arc::new(InTurn::new(Arc::clone(&amqp.results), self.broker(settings).await)),
        }
    }
}

async fn redis_broker(url: &str, settings: BrokerSettings) -> RedisBroker {
    RedisBroker::new(RedisConnection::open(url).await.unwrap(), settings).unwrap()
}

/// A RabbitMQ with a Redis behind it.
#[derive(Clone)]
pub(crate) struct Amqp {
    redis: String,
    url: String,
    tenant: Tenant,
    results: Arc<dyn ResultStore>,
}

impl Amqp {
    async fn broker(&self, settings: BrokerSettings) -> AmqpBroker {
        let broker = redis_broker(&self.redis, settings.clone()).await;
        let (url, apps, results) = (self.url.clone(), vec![self.tenant.clone()], Arc::clone(&self.results));
        let source = Source { url, apps, node: NodeId::random(), broker, results };
        AmqpBroker::start(source, &settings).await.unwrap()
    }
}

/// The address of a server that all tests of this binary share.
fn rabbit_url() -> String {
    static SERVER: OnceLock<RabbitServer> = OnceLock::new();
    SERVER.get_or_init(|| RabbitServer::start().expect("rabbitmq-server is installed")).url()
}

/// Where a test runs. A clone is the same place.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) backend: Backend,
    pub(crate) queue: QueueName,
    pub(crate) tenant: Tenant,
    pub(crate) results: Arc<dyn ResultStore>,
    steps: watch::Receiver<u64>,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) catalog: Arc<Catalog>,
    _folder: Option<Arc<TempDir>>,
}

/// The key that signed the module of every world, as the catalog says.
pub(crate) fn signed_by() -> KeyId {
    "E7620F1842B4E81F".parse().unwrap()
}

impl World {
    pub(crate) async fn redis() -> Self {
        Self::on_redis(redis_url(), redis_connection().await).await
    }

    pub(crate) async fn on_redis(url: String, connection: RedisConnection) -> Self {
        let results = Arc::new(RedisResults::start(connection.clone()));
        let state = Arc::new(RedisState::new(connection.clone()));
        Self::open(Backend::Redis(url), results, state, Arc::new(RedisModules::new(connection)), None).await
    }

    pub(crate) async fn amqp() -> Self {
        let (redis, connection) = (redis_url(), redis_connection().await);
        let results: Arc<dyn ResultStore> = Arc::new(RedisResults::start(connection.clone()));
        let state = Arc::new(RedisState::new(connection.clone()));
        let amqp = Amqp { redis, url: rabbit_url(), tenant: fresh_tenant(), results: Arc::clone(&results) };
        Self::open(Backend::Amqp(amqp), results, state, Arc::new(RedisModules::new(connection)), None).await
    }

    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let broker = EmbeddedBroker::new(database.clone(), BrokerSettings::default()).unwrap();
        let results = Arc::new(EmbeddedResults::new(database.clone()));
        let state = Arc::new(EmbeddedState::new(database.clone()));
        let modules = Arc::new(EmbeddedModules::new(database));
        Self::open(Backend::Embedded(broker), results, state, modules, Some(Arc::new(folder))).await
    }

    async fn open(
        backend: Backend,
        results: Arc<dyn ResultStore>,
        state: Arc<dyn StateStore>,
        modules: Arc<dyn ModuleStore>,
        folder: Option<Arc<TempDir>>,
    ) -> Self {
        let tenant = if let Backend::Amqp(amqp) = &backend { amqp.tenant.clone() } else { fresh_tenant() };
        let queue: QueueName = format!("q-{}", RequestId::random()).parse().unwrap();
        let settings = BrokerSettings { queues: vec![queue.clone()], ..BrokerSettings::default() };
        let (broker, intake) = (backend.broker(settings.clone()).await, backend.intake(settings).await);
        let catalog = Arc::new(Catalog::new(modules));
        catalog.activate(&tenant, "demo", b"the script", [TASK, PARENT, CHILD].map(task).into(), Some(signed_by())).await.unwrap();
        let (results, steps) = Noted::of(results);
        Self { backend, queue, tenant, results, steps, state, broker, intake, catalog, _folder: folder }
    }

    pub(crate) async fn node(&self, script: &Arc<Script>) -> Node {
        self.node_with(script, Options::default()).await
    }

    pub(crate) async fn node_with(&self, script: &Arc<Script>, options: Options) -> Node {
        Node::start(self, script, options).await
    }

    pub(crate) fn request(&self, task: &str) -> Request {
        Request { queue_name: Some(self.queue.to_string()), ..Request::new(task.parse().unwrap()) }
    }

    /// Submits as a client does, whose bounds are as wide as can be.
    pub(crate) async fn submit(&self, request: Request) -> RequestId {
        let limits = Limits { depth: 1_000, ..Limits::default() };
        let submitter = Submitter::new(Arc::clone(&self.intake), limits);
        submitter.submit(&self.tenant, request, Duration::ZERO).await.unwrap()
    }

    /// Submits a request of this task with nothing special about it.
    pub(crate) async fn submit_task(&self, task: &str) -> RequestId {
        self.submit(self.request(task)).await
    }

    /// A child that comes through the test's queue.
    pub(crate) fn child(&self, task: &str) -> NewChild {
        NewChild {
            name: task.into(),
            args: Vec::new(),
            kwargs: Entries::new(),
            metadata: Entries::new(),
            priority: None,
            queue: Some(self.queue.to_string()),
            deadline: None,
        }
    }

    pub(crate) async fn result(&self, id: RequestId) -> RequestResult {
        self.results.read(&self.tenant, &[id]).await.unwrap().remove(0).expect("there is a result")
    }

    /// The result once it is so, by a step of a node of this test.
    pub(crate) async fn once(&self, id: RequestId, is_so: impl Fn(&RequestResult) -> bool) -> RequestResult {
        let mut steps = self.steps.clone();
        let looks = async {
            loop {
                let result = self.result(id).await;
                if is_so(&result) {
                    return result;
                }
                steps.changed().await.unwrap();
            }
        };
        soon(looks).await
    }

    /// Ends when so many starts are stored, and the last attempt runs.
    pub(crate) async fn runs(&self, id: RequestId, starts: u32) {
        self.once(id, |result| (result.state, result.number_of_starts) == (State::Running, starts)).await;
    }

    /// State, starts and stops, as they are now.
    pub(crate) async fn counts(&self, id: RequestId) -> (State, u32, u32) {
        let result = self.result(id).await;
        (result.state, result.number_of_starts, result.number_of_stops)
    }

    /// State, starts and stops, once the state is final.
    pub(crate) async fn end(&self, id: RequestId) -> (State, u32, u32) {
        soon(self.results.wait(&self.tenant, &[id], WaitMode::All)).await.unwrap();
        self.counts(id).await
    }

    pub(crate) async fn value(&self, id: RequestId) -> Value {
        self.results.value(&self.tenant, id).await.unwrap().expect("there is a value")
    }

    pub(crate) async fn backlog(&self) -> Backlog {
        self.broker.backlog(&self.tenant).await.unwrap()
    }

    /// The reasons of all dead letters.
    pub(crate) async fn dead(&self) -> Vec<String> {
        let letters = self.broker.dead_letters(&self.tenant, 100).await.unwrap();
        letters.into_iter().map(|letter| letter.reason).collect()
    }
}

fn task(name: &str) -> TaskDescription {
    let name = name.parse().unwrap();
    TaskDescription { name, title: String::new(), description: String::new(), parameters: Json::null(), returns: None }
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text, usize::MAX).unwrap()
}

pub(crate) fn entries<const N: usize>(pairs: [(&str, &str); N]) -> Entries {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), json(value))).collect()
}
