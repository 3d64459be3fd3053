//! State of requests in Mognet's hashes. Every read and write keeps it for another two hours; each write is one script that looks at the
//! request's result first.

use std::sync::LazyLock;

use async_trait::async_trait;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::store::{Popped, StateStore, StoreError, Written};
use redis::Script;

use super::entries::{self, Hash, fence_argument, written};
use super::scripts::script;
use super::{RedisConnection, keys};

static TAKE: LazyLock<Script> = script!("numbers.lua", "results/standing.lua", "state/take.lua");
static CLEAR: LazyLock<Script> = script!("numbers.lua", "results/standing.lua", "state/clear.lua");

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

    /// Reads a key, and removes it where an attempt does so.
    async fn take(&self, tenant: &Tenant, id: RequestId, fence: Option<u32>, key: &str) -> Result<(Written, Option<Json>), StoreError> {
        let mut call = TAKE.key(keys::state(tenant, id));
        call.key(keys::result(tenant, id));
        call.arg(key).arg(keys::STATE_TTL).arg(Bound::State.maximum()).arg(fence_argument(fence));
        let (answer, found): (String, Option<String>) = self.connection.run(&call).await?;
        let parse = |text: String| Json::parse(&text, text.len()).map_err(|error| StoreError::Malformed(format!("state {key:?}: {error}")));
        Ok((written(&answer)?, found.map(parse).transpose()?))
    }
}

#[async_trait]
impl StateStore for RedisState {
    async fn get(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, StoreError> {
        Ok(self.take(tenant, id, None, key).await?.1)
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
        let (name, ttl) = (keys::state(tenant, id), keys::STATE_TTL);
        let hash = Hash { key: name, ttl, keys: Bound::StateKeys, bytes: Bound::State, limits };
        Ok(entries::set(&self.connection, (tenant, id), Some(fence), &hash, std::iter::once((key, value.as_str()))).await?)
    }

    async fn pop(&self, tenant: &Tenant, id: RequestId, fence: u32, key: &str) -> Result<Popped, StoreError> {
        match self.take(tenant, id, Some(fence), key).await? {
            (Written::Fenced, _) => Ok(Popped::Fenced),
            (Written::Missing, _) => Ok(Popped::Missing),
            (Written::Stored | Written::OverBound(_), found) => Ok(Popped::Value(found)),
        }
    }

    async fn clear(&self, tenant: &Tenant, id: RequestId, fence: Option<u32>) -> Result<Written, StoreError> {
        let mut call = CLEAR.key(keys::state(tenant, id));
        call.key(keys::result(tenant, id)).arg(fence_argument(fence));
        let answer: String = self.connection.run(&call).await?;
        Ok(written(&answer)?)
    }
}
