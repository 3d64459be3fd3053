//! The stores under test, on either backend, and short ways to say what the tests do.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mogbox_backends::embedded::{Database, EmbeddedModules, EmbeddedResults, EmbeddedState, EmbeddedTenants};
use mogbox_backends::redis::{RedisConnection, RedisModules, RedisResults, RedisState, RedisTenants};
use mogbox_core::entries::Entries;
use mogbox_core::ids::{NodeId, RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::request::Request;
use mogbox_core::result::{RequestResult, State, Value};
use mogbox_core::store::{ModuleStore, ResultStore, Start, StateStore, Step, Transition, Transitioned, Waits};
use mogbox_core::tenants::TenantStore;
use mogbox_core::tokens::TokenStore;
use mogbox_core::usage::UsageStore;

use crate::harness::{fresh_tenant, redis_connection};

/// Three stores, and a tenant that no other test uses.
pub(super) struct World {
    pub(super) results: Arc<dyn ResultStore>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) modules: Arc<dyn ModuleStore>,
    pub(super) tenants: Arc<dyn TenantStore>,
    pub(super) tokens: Arc<dyn TokenStore>,
    pub(super) usage: Arc<dyn UsageStore>,
    pub(super) tenant: Tenant,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub(super) async fn redis() -> Self {
        Self::on_redis(redis_connection().await)
    }

    pub(super) fn on_redis(connection: RedisConnection) -> Self {
        let tenants = Arc::new(RedisTenants::new(connection.clone()));
        Self {
            results: Arc::new(RedisResults::start(connection.clone())),
            state: Arc::new(RedisState::new(connection.clone())),
            modules: Arc::new(RedisModules::new(connection)),
            tenants: tenants.clone(),
            tokens: tenants.clone(),
            usage: tenants,
            tenant: fresh_tenant(),
            _folder: None,
        }
    }

    pub(super) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let tenants = Arc::new(EmbeddedTenants::new(database.clone()));
        Self {
            results: Arc::new(EmbeddedResults::new(database.clone())),
            state: Arc::new(EmbeddedState::new(database.clone())),
            modules: Arc::new(EmbeddedModules::new(database)),
            tenants: tenants.clone(),
            tokens: tenants.clone(),
            usage: tenants,
            tenant: fresh_tenant(),
            _folder: Some(folder),
        }
    }

    /// A request that was submitted.
    pub(super) async fn submitted(&self) -> RequestId {
        let request = request();
        assert!(self.results.create(&self.tenant, &request, now()).await.unwrap());
        request.id
    }

    /// A request whose attempt 1 runs.
    pub(super) async fn running(&self) -> RequestId {
        let id = self.submitted().await;
        assert_eq!(self.step(id, 1, start()).await, Transitioned::Applied);
        id
    }

    /// A request that reached this final state.
    pub(super) async fn finished(&self, state: State) -> RequestId {
        let id = self.running().await;
        assert_eq!(self.step(id, 1, finish(state)).await, Transitioned::Applied);
        id
    }

    pub(super) async fn step(&self, id: RequestId, fence: u32, step: Transition) -> Transitioned {
        self.results.transition(&self.tenant, id, fence, &step).await.unwrap()
    }

    /// A step that brings the start of its attempt along.
    pub(super) async fn start_and(&self, id: RequestId, fence: u32, transition: Transition) -> Transitioned {
        let step = Step { tenant: self.tenant.clone(), id, fence, start: Some(begins()), transition };
        self.results.transition_all(&[&step]).await.remove(0).unwrap()
    }

    pub(super) async fn revoke(&self, id: RequestId) -> Option<State> {
        self.results.revoke(&self.tenant, id, now()).await.unwrap()
    }

    pub(super) async fn result(&self, id: RequestId) -> RequestResult {
        self.results.read(&self.tenant, &[id]).await.unwrap().remove(0).expect("there is a result")
    }

    /// State, starts, stops and retries.
    pub(super) async fn counters(&self, id: RequestId) -> (State, u32, u32, u32) {
        let result = self.result(id).await;
        (result.state, result.number_of_starts, result.number_of_stops, result.retries)
    }
}

pub(super) fn request() -> Request {
    Request::new("demo.add".parse().unwrap())
}

/// Now, as exact as the wire is.
pub(super) fn now() -> Timestamp {
    mogbox_core::wire::result::truncate(Timestamp::now())
}

pub(super) fn node() -> NodeId {
    "node-1".parse().unwrap()
}

pub(super) fn start() -> Transition {
    Transition::Start(begins())
}

pub(super) fn begins() -> Start {
    Start { node_id: node(), at: now() }
}

pub(super) fn resume() -> Transition {
    Transition::Resume { node_id: node() }
}

pub(super) fn finish(state: State) -> Transition {
    finish_with(state, Value::Success(json("3.0")))
}

pub(super) fn finish_with(state: State, value: Value) -> Transition {
    Transition::Finish { state, value, at: now(), report: None, waits: Waits::default(), kept_state: true }
}

pub(super) fn json(text: &str) -> Json {
    Json::parse(text, usize::MAX).unwrap()
}

pub(super) fn entries<const N: usize>(pairs: [(&str, &str); N]) -> Entries {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), json(value))).collect()
}

/// The end of what never ends if the code is wrong.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("done within 20 s")
}

pub(super) const FINAL: [State; 4] = [State::Success, State::Failure, State::Revoked, State::Invalid];
