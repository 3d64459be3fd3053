//! Results in tables. Every call is one transaction, and one thread runs them all, so what a step sees is what it changes.

mod check;
mod metadata;
mod open;
mod reads;
mod writes;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mogbox_core::entries::Entries;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::Limits;
use mogbox_core::report::Report;
use mogbox_core::request::Request;
use mogbox_core::result::{Exception, RequestResult, State, Value};
use mogbox_core::store::{Beginning, Begun, OpenResult, ResultStore, Step, StoreError, Transitioned, WaitMode, Waits, Written};
use mogbox_core::wire::value::{MAX_STORED, StoredValue};

use super::Database;
use crate::results::{self, apart, each};
use writes::{Ending, Prepared};

pub(super) use metadata::refused;
pub(super) use writes::New;

/// The tables. `kept` holds the large things beside a result: its value and the report of its last attempt.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS results (
    tenant TEXT NOT NULL, id BLOB NOT NULL, name TEXT, state TEXT NOT NULL,
    starts INTEGER NOT NULL DEFAULT 0, stops INTEGER NOT NULL DEFAULT 0, retries INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0, parent BLOB, created INTEGER, started INTEGER, finished INTEGER,
    node_id TEXT, kwargs_repr TEXT, expires INTEGER NOT NULL, queue TEXT, PRIMARY KEY (tenant, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS results_by_expiry ON results (expires);
CREATE INDEX IF NOT EXISTS results_open ON results (created) WHERE state IN ('PENDING', 'RUNNING', 'SUSPENDED');
CREATE TABLE IF NOT EXISTS metadata (
    tenant TEXT NOT NULL, id BLOB NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tenant, id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    tenant TEXT NOT NULL, id BLOB NOT NULL, what TEXT NOT NULL, contents BLOB NOT NULL, encoding TEXT,
    expires INTEGER NOT NULL, PRIMARY KEY (tenant, id, what));
CREATE INDEX IF NOT EXISTS kept_by_expiry ON kept (expires);
CREATE TABLE IF NOT EXISTS children (
    tenant TEXT NOT NULL, parent BLOB NOT NULL, child BLOB NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (tenant, parent, child));
CREATE INDEX IF NOT EXISTS children_by_expiry ON children (expires);
";

/// Results in the embedded database.
pub struct EmbeddedResults {
    database: Database,
}

impl EmbeddedResults {
    /// Results in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ResultStore for EmbeddedResults {
    async fn create(&self, tenant: &Tenant, request: &Request, at: Timestamp) -> Result<bool, StoreError> {
        let new = New::of(tenant, request, at);
        Ok(self.database.call(move |connection| Ok(new.create(connection)?.is_none())).await?)
    }

    async fn read(&self, tenant: &Tenant, ids: &[RequestId]) -> Result<Vec<Option<RequestResult>>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(results::CHUNK) {
            let (tenant, chunk) = (tenant.clone(), chunk.to_vec());
            let read = move |connection: &_| chunk.iter().map(|id| reads::result(connection, &tenant, *id)).collect();
            let some: Vec<Option<RequestResult>> = self.database.call(read).await?;
            found.extend(some);
        }
        Ok(found)
    }

    async fn check(&self, beginnings: &[Beginning]) -> Vec<Result<Begun, StoreError>> {
        let many = beginnings.to_vec();
        let work = move |connection: &_| many.iter().map(|one| check::check(connection, one)).map(apart).collect();
        each(self.database.call(work).await, beginnings.len())
    }

    async fn transition_all(&self, steps: &[&Step]) -> Vec<Result<Transitioned, StoreError>> {
        let prepared = steps.iter().map(|step| Prepared::of(step)).collect::<Result<Vec<_>, _>>();
        let (waiting, count) = (self.database.results().clone(), steps.len());
        let answered = async {
            let prepared = Arc::new(prepared?);
            let taken = Arc::clone(&prepared);
            let work = move |connection: &_| taken.iter().map(|step| writes::transition(connection, step)).map(apart).collect();
            let then = move |done: &Vec<Result<Transitioned, StoreError>>| {
                let ended = prepared.iter().zip(done).filter(|(step, done)| step.ends() && **done == Ok(Transitioned::Applied));
                ended.for_each(|(step, _)| waiting.notify(&(step.tenant.clone(), step.id)));
            };
            self.database.call_then(work, then).await
        };
        each(answered.await, count)
    }

    async fn revoke(&self, tenant: &Tenant, id: RequestId, at: Timestamp) -> Result<Option<State>, StoreError> {
        let (waiting, topic, tenant) = (self.database.results().clone(), (tenant.clone(), id), tenant.clone());
        let value = StoredValue::pack(&Value::Exception(Exception::NotReady));
        let ending = Ending { state: State::Revoked, at, value, report: None, waits: Waits::default(), kept_state: false };
        let work = move |connection: &_| writes::revoke(connection, &tenant, id, &ending);
        Ok(self.database.call_then(work, move |_| waiting.notify(&topic)).await?)
    }

    async fn value(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Value>, StoreError> {
        let tenant = tenant.clone();
        let found = self.database.call(move |connection| reads::kept(connection, &tenant, id, "value")).await?;
        let unpack = |(contents, encoding): reads::Kept| StoredValue::unpack(&contents, encoding.as_deref().unwrap_or("null"), MAX_STORED);
        found.map(unpack).transpose().map_err(|error| StoreError::Malformed(error.to_string()))
    }

    async fn report(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Report>, StoreError> {
        let tenant = tenant.clone();
        let found = self.database.call(move |connection| reads::kept(connection, &tenant, id, "report")).await?;
        let read = |(text, _): reads::Kept| serde_json::from_slice(&text).map_err(|error| StoreError::Malformed(error.to_string()));
        found.map(read).transpose()
    }

    async fn metadata_entry(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Option<Json>>, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        Ok(self.database.call(move |connection| reads::metadata_entry(connection, &tenant, id, &key)).await?)
    }

    async fn metadata(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Entries>, StoreError> {
        let tenant = tenant.clone();
        Ok(self.database.call(move |connection| reads::metadata(connection, &tenant, id)).await?)
    }

    async fn set_metadata(
        &self,
        tenant: &Tenant,
        id: RequestId,
        fence: Option<u32>,
        entries: &Entries,
        limits: &Limits,
    ) -> Result<Written, StoreError> {
        let (tenant, entries, limits) = (tenant.clone(), entries.clone(), limits.clone());
        let work = move |connection: &_| metadata::set(connection, (&tenant, id), fence, &entries, &limits);
        Ok(self.database.call(work).await?)
    }

    async fn children(&self, tenant: &Tenant, id: RequestId) -> Result<Vec<RequestId>, StoreError> {
        let tenant = tenant.clone();
        Ok(self.database.call(move |connection| reads::children(connection, &tenant, id)).await?)
    }

    async fn open(&self, after: Timestamp, until: Timestamp, most: usize) -> Result<Vec<OpenResult>, StoreError> {
        Ok(self.database.call(move |connection| open::open(connection, after, until, most)).await?)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(self.database.probe().await?)
    }

    async fn wait(&self, tenant: &Tenant, ids: &[RequestId], mode: WaitMode) -> Result<Vec<Option<RequestResult>>, StoreError> {
        let read = |ids: Vec<RequestId>| async move { self.read(tenant, &ids).await };
        results::wait(self.database.results(), tenant, ids, mode, async |_| (), read).await
    }
}

#[cfg(test)]
mod tests {
    use mogbox_core::store::Transition;

    use super::*;

    #[tokio::test]
    async fn what_has_expired_is_not_there_and_makes_room_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let (results, tenant) = (EmbeddedResults::new(database.clone()), Tenant::default());
        let (mut request, at) = (Request::new("demo.add".parse().unwrap()), Timestamp::now());
        request.stack = vec![RequestId::random()];
        request.metadata = [("k".to_owned(), mogbox_core::json::Json::null())].into_iter().collect();
        results.create(&tenant, &request, at).await.unwrap();
        let end = Transition::Finish {
            state: State::Invalid,
            value: Value::Exception(Exception::Timeout),
            at,
            report: None,
            waits: Waits::default(),
            kept_state: true,
        };
        results.transition(&tenant, request.id, 1, &end).await.unwrap();
        for table in ["results", "kept", "children"] {
            let sql = format!("UPDATE {table} SET expires = 1");
            database.call(move |connection| Ok(connection.execute(&sql, [])?)).await.unwrap();
        }
        assert_eq!(results.read(&tenant, &[request.id]).await.unwrap(), [None]);
        assert_eq!(results.value(&tenant, request.id).await.unwrap(), None);
        assert_eq!(results.metadata(&tenant, request.id).await.unwrap(), None);
        assert!(results.children(&tenant, request.stack[0]).await.unwrap().is_empty());
        assert_eq!(results.transition(&tenant, request.id, 2, &end).await.unwrap(), Transitioned::Missing);
        request.metadata = Entries::new();
        assert!(results.create(&tenant, &request, at).await.unwrap());
        assert_eq!(results.metadata(&tenant, request.id).await.unwrap(), Some(Entries::new()));
        assert_eq!(results.children(&tenant, request.stack[0]).await.unwrap(), [request.id]);
    }
}
