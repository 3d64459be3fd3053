//! State of requests in tables. A state lives two hours after its last use; the moment is moved on only when it is some minutes
//! old, so that most reads write nothing.

use std::time::Duration;

use async_trait::async_trait;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::store::{Popped, StateStore, StoreError, Written};
use rusqlite::{Connection, OptionalExtension as _};

use super::columns::{STATE_TTL, expiry, now};
use super::results::refused;
use super::{Database, bounds};
use crate::error::BackendError;

/// How much longer than it must a state lives, at most: it is moved on at most once in this time.
const SLACK: Duration = Duration::from_secs(300);

/// The tables.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS states (
    tenant TEXT NOT NULL, id BLOB NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (tenant, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS states_by_expiry ON states (expires);
CREATE TABLE IF NOT EXISTS state_entries (
    tenant TEXT NOT NULL, id BLOB NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tenant, id, key));
";

/// State in the embedded database.
pub struct EmbeddedState {
    database: Database,
}

impl EmbeddedState {
    /// State in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl StateStore for EmbeddedState {
    async fn get(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        Ok(self.database.call(move |connection| get(connection, &tenant, id, &key)).await?)
    }

    async fn set(
        &self,
        tenant: &Tenant,
        id: RequestId,
        fence: u32,
        key: &str,
        value: &Json,
        limits: &Limits,
    ) -> Result<Written, StoreError> {
        let (tenant, key, value, limits) = (tenant.clone(), key.to_owned(), value.clone(), limits.clone());
        let work = move |connection: &_| match refused(connection, &tenant, id, Some(fence))? {
            Some(why) => Ok(why),
            None => set(connection, (&tenant, id), &key, &value, &limits),
        };
        Ok(self.database.call(work).await?)
    }

    async fn pop(&self, tenant: &Tenant, id: RequestId, fence: u32, key: &str) -> Result<Popped, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        let work = move |connection: &_| match refused(connection, &tenant, id, Some(fence))? {
            Some(Written::Missing) => Ok(Popped::Missing),
            Some(_) => Ok(Popped::Fenced),
            None => pop(connection, &tenant, id, &key).map(Popped::Value),
        };
        Ok(self.database.call(work).await?)
    }

    async fn clear(&self, tenant: &Tenant, id: RequestId, fence: Option<u32>) -> Result<Written, StoreError> {
        let tenant = tenant.clone();
        let work = move |connection: &_| {
            if let (Some(_), Some(why)) = (fence, refused(connection, &tenant, id, fence)?) {
                return Ok(why);
            }
            clear(connection, &tenant, id).map(|()| Written::Stored)
        };
        Ok(self.database.call(work).await?)
    }
}

fn pop(connection: &Connection, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, BackendError> {
    let found = get(connection, tenant, id, key)?;
    let entry = (tenant.as_str(), id.as_bytes(), key);
    connection.prepare_cached("DELETE FROM state_entries WHERE tenant = ?1 AND id = ?2 AND key = ?3")?.execute(entry)?;
    Ok(found)
}

fn get(connection: &Connection, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, BackendError> {
    if !refresh(connection, tenant, id)? {
        return Ok(None);
    }
    let entry = (tenant.as_str(), id.as_bytes(), key);
    let mut select = connection.prepare_cached("SELECT value FROM state_entries WHERE tenant = ?1 AND id = ?2 AND key = ?3")?;
    let found: Option<String> = select.query_row(entry, |row| row.get(0)).optional()?;
    let parse = |text: String| Json::parse(&text, text.len()).map_err(|error| BackendError::Malformed(format!("state {key:?}: {error}")));
    found.map(parse).transpose()
}

/// Whether there is a state; if so, it lives on.
fn refresh(connection: &Connection, tenant: &Tenant, id: RequestId) -> Result<bool, BackendError> {
    let key = (tenant.as_str(), id.as_bytes());
    let mut select = connection.prepare_cached("SELECT expires FROM states WHERE tenant = ?1 AND id = ?2")?;
    let Some(expires) = select.query_row(key, |row| row.get::<_, i64>(0)).optional()? else { return Ok(false) };
    if expires <= now() {
        return Ok(false);
    }
    if expires < expiry(STATE_TTL) {
        let row = (tenant.as_str(), id.as_bytes(), expiry(STATE_TTL + SLACK));
        connection.prepare_cached("UPDATE states SET expires = ?3 WHERE tenant = ?1 AND id = ?2")?.execute(row)?;
    }
    Ok(true)
}

fn set(
    connection: &Connection,
    (tenant, id): (&Tenant, RequestId),
    key: &str,
    value: &Json,
    limits: &Limits,
) -> Result<Written, BackendError> {
    let lives = refresh(connection, tenant, id)?;
    if !lives {
        clear(connection, tenant, id)?;
    }
    let present = "SELECT key, length(CAST(key AS BLOB)) + length(CAST(value AS BLOB)) FROM state_entries WHERE tenant = ?1 AND id = ?2";
    let mut sizes = bounds::sizes(connection, present, tenant, id)?;
    sizes.insert(key.to_owned(), key.len() + value.size());
    if let Some(bound) = bounds::over(&sizes, limits, Bound::StateKeys, Bound::State) {
        return Ok(Written::OverBound(bound));
    }
    if !lives {
        let row = (tenant.as_str(), id.as_bytes(), expiry(STATE_TTL + SLACK));
        connection.prepare_cached("INSERT INTO states (tenant, id, expires) VALUES (?1, ?2, ?3)")?.execute(row)?;
    }
    let sql = "INSERT OR REPLACE INTO state_entries (tenant, id, key, value) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute((tenant.as_str(), id.as_bytes(), key, value.as_str()))?;
    Ok(Written::Stored)
}

/// Removes all state of a request.
pub(super) fn clear(connection: &Connection, tenant: &Tenant, id: RequestId) -> Result<(), BackendError> {
    let key = (tenant.as_str(), id.as_bytes());
    connection.prepare_cached("DELETE FROM state_entries WHERE tenant = ?1 AND id = ?2")?.execute(key)?;
    connection.prepare_cached("DELETE FROM states WHERE tenant = ?1 AND id = ?2")?.execute(key)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mogbox_core::request::Request;
    use mogbox_core::store::ResultStore as _;

    use super::*;
    use crate::embedded::EmbeddedResults;

    #[tokio::test]
    async fn a_state_that_has_expired_is_gone_and_one_that_is_used_lives_on() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let (state, tenant, id) = (EmbeddedState::new(database.clone()), Tenant::default(), RequestId::random());
        let (results, request) = (EmbeddedResults::new(database.clone()), Request { id, ..Request::new("demo.add".parse().unwrap()) });
        results.create(&tenant, &request, Timestamp::now()).await.unwrap();
        let limits = Limits { state_keys: 1, ..Limits::default() };
        let expire = async |at: i64| database.call(move |c| Ok(c.execute("UPDATE states SET expires = ?1", [at])?)).await.unwrap();
        let expires =
            async || database.call(|c| Ok(c.query_row("SELECT expires FROM states", [], |row| row.get::<_, i64>(0))?)).await.unwrap();
        state.set(&tenant, id, 1, "a", &Json::null(), &limits).await.unwrap();
        expire(expiry(Duration::from_secs(100))).await;
        assert_eq!(state.get(&tenant, id, "a").await.unwrap(), Some(Json::null()));
        assert!(expires().await >= expiry(STATE_TTL));
        expire(1).await;
        assert_eq!(state.get(&tenant, id, "a").await.unwrap(), None);
        assert_eq!(state.set(&tenant, id, 1, "b", &Json::null(), &limits).await.unwrap(), Written::Stored);
        assert_eq!(state.get(&tenant, id, "a").await.unwrap(), None);
        assert!(expires().await >= expiry(STATE_TTL));
    }
}
