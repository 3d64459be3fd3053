//! Results in Mognet's hashes. Every write that depends on the present state is one script on the result's own key.

mod check;
mod open;
mod reads;
mod writes;

pub(super) use writes::add_new;

use async_trait::async_trait;
use jiff::Timestamp;
use mogbox_core::entries::Entries;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::Limits;
use mogbox_core::report::Report;
use mogbox_core::request::Request;
use mogbox_core::result::{RequestResult, State, Value};
use mogbox_core::store::{Beginning, Begun, OpenResult, ResultStore, Step, StoreError, Transitioned, WaitMode, Written};
use tokio::sync::Semaphore;

use super::watch::Watch;
use super::{RedisConnection, keys};
use crate::results::{self, Waiting, each};

/// Waiters that read at the same time. When thousands wake at once, the last one's answer must not be late for the others' sake.
const READING_WAITERS: usize = 128;

/// Results on a Redis server.
pub struct RedisResults {
    connection: RedisConnection,
    waiting: Waiting,
    turns: Semaphore,
    watch: Watch,
}

impl RedisResults {
    /// Results on this server. Starts to watch for those that become final; must be called within a runtime.
    #[must_use]
    pub fn start(connection: RedisConnection) -> Self {
        let waiting = Waiting::default();
        let watch = Watch::start(&connection, &waiting);
        Self { connection, waiting, turns: Semaphore::new(READING_WAITERS), watch }
    }
}

#[async_trait]
impl ResultStore for RedisResults {
    async fn create(&self, tenant: &Tenant, request: &Request, at: Timestamp) -> Result<bool, StoreError> {
        Ok(writes::create(&self.connection, tenant, request, at).await?)
    }

    async fn read(&self, tenant: &Tenant, ids: &[RequestId]) -> Result<Vec<Option<RequestResult>>, StoreError> {
        Ok(reads::results(&self.connection, tenant, ids).await?)
    }

    async fn check(&self, beginnings: &[Beginning]) -> Vec<Result<Begun, StoreError>> {
        each(check::check(&self.connection, beginnings).await, beginnings.len())
    }

    async fn transition_all(&self, steps: &[&Step]) -> Vec<Result<Transitioned, StoreError>> {
        each(writes::transitions(&self.connection, steps).await, steps.len())
    }

    async fn revoke(&self, tenant: &Tenant, id: RequestId, at: Timestamp) -> Result<Option<State>, StoreError> {
        Ok(writes::revoke(&self.connection, tenant, id, at).await?)
    }

    async fn value(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Value>, StoreError> {
        Ok(reads::value(&self.connection, tenant, id).await?)
    }

    async fn report(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Report>, StoreError> {
        Ok(reads::report(&self.connection, tenant, id).await?)
    }

    async fn metadata_entry(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Option<Json>>, StoreError> {
        Ok(reads::metadata_entry(&self.connection, tenant, id, key).await?)
    }

    async fn metadata(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Entries>, StoreError> {
        Ok(reads::metadata(&self.connection, tenant, id).await?)
    }

    async fn set_metadata(
        &self,
        tenant: &Tenant,
        id: RequestId,
        fence: Option<u32>,
        entries: &Entries,
        limits: &Limits,
    ) -> Result<Written, StoreError> {
        Ok(writes::set_metadata(&self.connection, tenant, id, fence, entries, limits).await?)
    }

    async fn children(&self, tenant: &Tenant, id: RequestId) -> Result<Vec<RequestId>, StoreError> {
        Ok(reads::children(&self.connection, tenant, id).await?)
    }

    async fn open(&self, after: Timestamp, until: Timestamp, most: usize) -> Result<Vec<OpenResult>, StoreError> {
        Ok(open::open(&self.connection, after, until, most).await?)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(self.connection.probe(keys::PROBE).await?)
    }

    async fn wait(&self, tenant: &Tenant, ids: &[RequestId], mode: WaitMode) -> Result<Vec<Option<RequestResult>>, StoreError> {
        let read = |ids: Vec<RequestId>| async move {
            // Never closed, so an error here would only mean that a turn is not needed.
            let _turn = self.turns.acquire().await;
            self.read(tenant, &ids).await
        };
        results::wait(&self.waiting, tenant, ids, mode, async |keys| self.watch.listen(keys).await, read).await
    }
}
