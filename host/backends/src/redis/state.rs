//! State of requests in Mognet's hashes. Every read and write keeps it for another two hours.

use std::sync::LazyLock;

use async_trait::async_trait;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::store::{StateStore, StoreError, Written};
use redis::Script;

use super::scripts::script;
use super::{RedisConnection, keys};

static TAKE: LazyLock<Script> = script!("state/take.lua");
static SET: LazyLock<Script> = script!("bounds.lua", "state/set.lua");

/// State on a Redis server.
pub struct RedisState {
    connection: RedisConnection,
}

impl RedisState {
    /// State on this server.
    #[must_use]
    pub const fn new(connection: RedisConnection) -> Self {
        Self { connection }
    }

    async fn take(&self, tenant: &Tenant, id: RequestId, key: &str, how: &str) -> Result<Option<Json>, StoreError> {
        let mut call = TAKE.key(keys::state(tenant, id));
        call.arg(key).arg(keys::STATE_TTL).arg(Bound::State.maximum()).arg(how);
        let found: Option<String> = self.connection.run(&call).await?;
        let parse = |text: String| Json::parse(&text, text.len()).map_err(|error| StoreError::Malformed(format!("state {key:?}: {error}")));
        found.map(parse).transpose()
    }
}

#[async_trait]
impl StateStore for RedisState {
    async fn get(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, StoreError> {
        self.take(tenant, id, key, "get").await
    }

    async fn set(&self, tenant: &Tenant, id: RequestId, key: &str, value: &Json, limits: &Limits) -> Result<Written, StoreError> {
        let mut call = SET.key(keys::state(tenant, id));
        call.arg(limits.get(Bound::StateKeys)).arg(limits.get(Bound::State)).arg(keys::STATE_TTL).arg(key).arg(value.as_str());
        let answer: String = self.connection.run(&call).await?;
        match answer.as_str() {
            "KEYS" => Ok(Written::OverBound(Bound::StateKeys)),
            "BYTES" => Ok(Written::OverBound(Bound::State)),
            _ => Ok(Written::Stored),
        }
    }

    async fn pop(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, StoreError> {
        self.take(tenant, id, key, "pop").await
    }

    async fn clear(&self, tenant: &Tenant, id: RequestId) -> Result<(), StoreError> {
        Ok(self.connection.query(redis::cmd("UNLINK").arg(keys::state(tenant, id))).await?)
    }
}
