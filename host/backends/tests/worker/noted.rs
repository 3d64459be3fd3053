//! A real store of results that tells of each step which was taken, so that a test can wait for one.

use std::sync::Arc;

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
use tokio::sync::watch;

/// The store, and how many times steps were taken.
pub(crate) struct Noted {
    results: Arc<dyn ResultStore>,
    steps: watch::Sender<u64>,
}

impl Noted {
    /// The same store, and what changes with each step.
    pub(crate) fn of(results: Arc<dyn ResultStore>) -> (Arc<dyn ResultStore>, watch::Receiver<u64>) {
        let (steps, taken) = watch::channel(0);
        (Arc::new(Self { results, steps }), taken)
    }
}

type Stored<T> = Result<T, StoreError>;

#[async_trait]
impl ResultStore for Noted {
    async fn create(&self, tenant: &Tenant, request: &Request, at: Timestamp) -> Stored<bool> {
        self.results.create(tenant, request, at).await
    }

    async fn read(&self, tenant: &Tenant, ids: &[RequestId]) -> Stored<Vec<Option<RequestResult>>> {
        self.results.read(tenant, ids).await
    }

    async fn check(&self, beginnings: &[Beginning]) -> Vec<Stored<Begun>> {
        self.results.check(beginnings).await
    }

    async fn transition_all(&self, steps: &[&Step]) -> Vec<Stored<Transitioned>> {
        let answers = self.results.transition_all(steps).await;
        self.steps.send_modify(|times| *times += 1);
        answers
    }

    async fn revoke(&self, tenant: &Tenant, id: RequestId, at: Timestamp) -> Stored<Option<State>> {
        self.results.revoke(tenant, id, at).await
    }

    async fn value(&self, tenant: &Tenant, id: RequestId) -> Stored<Option<Value>> {
        self.results.value(tenant, id).await
    }

    async fn report(&self, tenant: &Tenant, id: RequestId) -> Stored<Option<Report>> {
        self.results.report(tenant, id).await
    }

    async fn metadata_entry(&self, tenant: &Tenant, id: RequestId, key: &str) -> Stored<Option<Option<Json>>> {
        self.results.metadata_entry(tenant, id, key).await
    }

    async fn metadata(&self, tenant: &Tenant, id: RequestId) -> Stored<Option<Entries>> {
        self.results.metadata(tenant, id).await
    }

    async fn set_metadata(
        &self,
        tenant: &Tenant,
        id: RequestId,
        fence: Option<u32>,
        entries: &Entries,
        limits: &Limits,
    ) -> Stored<Written> {
        self.results.set_metadata(tenant, id, fence, entries, limits).await
    }

    async fn children(&self, tenant: &Tenant, id: RequestId) -> Stored<Vec<RequestId>> {
        self.results.children(tenant, id).await
    }

    async fn open(&self, after: Timestamp, until: Timestamp, most: usize) -> Stored<Vec<OpenResult>> {
        self.results.open(after, until, most).await
    }

    async fn probe(&self) -> Stored<()> {
        self.results.probe().await
    }

    async fn wait(&self, tenant: &Tenant, ids: &[RequestId], mode: WaitMode) -> Stored<Vec<Option<RequestResult>>> {
        self.results.wait(tenant, ids, mode).await
    }
}
