//! Opens stores, broker and sandbox as a node's settings say. Beside the bench, which also looks at its server, the only
//! place that names concrete ones.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use mogbox_backends::amqp::{AmqpBroker, Source};
use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::embedded::broker::EmbeddedBroker;
use mogbox_backends::embedded::{Database, EmbeddedIntake, EmbeddedModules, EmbeddedResults, EmbeddedState, EmbeddedTenants};
use mogbox_backends::redis::broker::RedisBroker;
use mogbox_backends::redis::{RedisConnection, RedisIntake, RedisModules, RedisResults, RedisState, RedisTenants, without_secrets};
use mogbox_core::broker::BrokerError;
use mogbox_core::limits::{Bound, Unit};
use mogbox_core::tenants::TenantStore;
use mogbox_core::tokens::TokenStore;
use mogbox_core::usage::UsageStore;
use mogbox_core::{Broker, Executor, InTurn, Intake, ModuleStore, NodeId, ResultStore, Share, Shares, StateStore};
use mogbox_runtime::{Allocation, CompilerSettings, EngineError, EngineSettings, Sandbox};

use super::{Backend, NodeSettings, RabbitMq, machine};

/// Opens a broker of its own for the thread that renews leases, inside that thread's runtime.
pub(crate) type OpenLeaseBroker = Box<dyn FnOnce() -> BoxFuture<'static, Result<Arc<dyn Broker>, BrokerError>> + Send>;

/// Stores and broker of a node.
pub(crate) struct Backends {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) lease_broker: OpenLeaseBroker,
    pub(crate) results: Arc<dyn ResultStore>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) modules: Arc<dyn ModuleStore>,
    pub(crate) tenants: Arc<dyn TenantStore>,
    pub(crate) tokens: Arc<dyn TokenStore>,
    pub(crate) usage: Arc<dyn UsageStore>,
    /// What tenants may use that have a share of their own: the broker asks here.
    pub(crate) shares: Shares,
    /// Where everything is kept, for people.
    pub(crate) place: String,
}

impl Backends {
    /// Opens them.
    ///
    /// # Errors
    /// Where the folder or server cannot be used, or a setting is not allowed.
    pub(crate) async fn open(backend: &Backend, broker: BrokerSettings, node: &NodeId) -> anyhow::Result<Self> {
        match backend {
            Backend::Embedded(folder) => embedded(folder, broker),
            Backend::Redis(url) => redis(url, broker).await,
            Backend::RabbitMq(source) => rabbitmq(source, broker, node).await,
        }
    }
}

/// The settings of a node's broker.
pub(super) fn broker_settings(settings: &NodeSettings) -> BrokerSettings {
    let in_flight = u32::try_from(settings.limits.in_flight).unwrap_or(u32::MAX);
    let share = Share { in_flight, ..Share::default() };
    BrokerSettings { queues: settings.queues.clone(), lease: settings.lease, share, ..BrokerSettings::default() }
}

fn embedded(folder: &Path, settings: BrokerSettings) -> anyhow::Result<Backends> {
    let database = Database::open(folder)?;
    let (shares, tenants) = (settings.tenants.clone(), Arc::new(EmbeddedTenants::new(database.clone())));
    let broker = EmbeddedBroker::new(database.clone(), settings)?;
    // The database has a thread of its own already: the same broker serves the thread of the leases.
    let same = broker.clone();
    Ok(Backends {
        intake: Arc::new(EmbeddedIntake::new(broker.clone())),
        broker: Arc::new(broker),
        lease_broker: Box::new(move || async move { Ok(Arc::new(same) as Arc<dyn Broker>) }.boxed()),
        results: Arc::new(EmbeddedResults::new(database.clone())),
        state: Arc::new(EmbeddedState::new(database.clone())),
        modules: Arc::new(EmbeddedModules::new(database)),
        tenants: tenants.clone(),
        tokens: tenants.clone(),
        usage: tenants,
        shares,
        // In full: a node that is started elsewhere finds another folder of the same name.
        place: format!("embedded store in {}", folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()).display()),
    })
}

async fn redis(url: &str, settings: BrokerSettings) -> anyhow::Result<Backends> {
    let connection = RedisConnection::open(url).await?;
    let (shares, tenants) = (settings.tenants.clone(), Arc::new(RedisTenants::new(connection.clone())));
    let broker = RedisBroker::new(connection.clone(), settings.clone())?;
    let for_leases = url.to_owned();
    Ok(Backends {
        intake: Arc::new(RedisIntake::new(broker.clone())),
        broker: Arc::new(broker),
        lease_broker: Box::new(move || redis_broker(for_leases, settings).boxed()),
        results: Arc::new(RedisResults::start(connection.clone())),
        state: Arc::new(RedisState::new(connection.clone())),
        modules: Arc::new(RedisModules::new(connection)),
        tenants: tenants.clone(),
        tokens: tenants.clone(),
        usage: tenants,
        shares,
        place: format!("store on {}", without_secrets(url)),
    })
}

async fn rabbitmq(from: &RabbitMq, settings: BrokerSettings, node: &NodeId) -> anyhow::Result<Backends> {
    let backends = redis(&from.redis, settings.clone()).await?;
    let broker = RedisBroker::new(RedisConnection::open(&from.redis).await?, settings.clone())?;
    let (url, apps, node, results) = (from.url.clone(), from.apps.clone(), node.clone(), Arc::clone(&backends.results));
    let shown = without_secrets(&url);
    let advice = || {
        format!(
            "cannot use RabbitMQ at {shown}: check that it runs there, and that --amqp is an address such as amqp://user:password@host:5672"
        )
    };
    let started = AmqpBroker::start(Source { url, apps, node, broker, results }, &settings).await;
    let broker: Arc<dyn Broker> = Arc::new(started.with_context(advice)?);
    let intake = Arc::new(InTurn::new(Arc::clone(&backends.results), Arc::clone(&broker)));
    Ok(Backends { broker, intake, place: format!("{}, requests from RabbitMQ at {shown}", backends.place), ..backends })
}

async fn redis_broker(url: String, settings: BrokerSettings) -> Result<Arc<dyn Broker>, BrokerError> {
    let unavailable = |error: mogbox_backends::OpenError| BrokerError::Unavailable(error.to_string());
    let connection = RedisConnection::open(&url).await.map_err(unavailable)?;
    RedisBroker::new(connection, settings).map(|broker| Arc::new(broker) as Arc<dyn Broker>).map_err(unavailable)
}

/// Starts the sandbox.
///
/// # Errors
/// Where the guests' memory does not suffice for one of them, or the machine refuses the memory for it.
pub(super) fn sandbox(settings: &NodeSettings, modules: Arc<dyn ModuleStore>) -> anyhow::Result<Arc<dyn Executor>> {
    let pooled = engine_settings(settings)?;
    let started = match Sandbox::start(&pooled, Arc::clone(&modules)) {
        Err(EngineError::Refused(reason)) => {
            tracing::warn!(reason, "the machine limits address space: each guest's memory is asked for when it starts, which is slower");
            Sandbox::start(&EngineSettings { allocation: Allocation::OnDemand, ..pooled }, modules)
        }
        other => other,
    };
    Ok(Arc::new(started.context("cannot start the sandbox")?))
}

/// Guests that ask for no more than their own bound must fit, or they would be put off for ever.
fn engine_settings(settings: &NodeSettings) -> anyhow::Result<EngineSettings> {
    let sized = EngineSettings::for_machine(machine::memory());
    let engine = EngineSettings {
        guest_memory: settings.guest_memory.unwrap_or(sized.guest_memory),
        guest_threads: settings.guest_threads,
        artifacts: settings.artifacts.clone(),
        compiler: settings.compiler.clone().map(|program| CompilerSettings {
            program,
            time: settings.limits.duration(Bound::CompileTime),
            memory: settings.limits.get(Bound::CompileMemory),
        }),
        ..sized
    };
    let (most, memory) = (engine.most_of_one_guest(&settings.limits), settings.limits.get(Bound::Memory));
    if memory > most {
        let show = |bytes| Unit::Bytes.show(bytes);
        bail!(
            "a guest may take {} (the bound memory), but all of them together {}, stacks included, and those of one tenant {} of it \
             (the bound tenant-memory): raise that with --guest-memory or --limit tenant-memory=VALUE, or lower the bound with \
             --limit memory=VALUE",
            show(memory),
            show(engine.guest_memory),
            settings.limits.show(Bound::TenantMemory)
        );
    }
    Ok(engine)
}
