//! Modules on Redis: bytes by digest, and each tenant's index, replaced only by who knows its revision.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use mogbox_core::ids::{Digest, Tenant};
use mogbox_core::limits::Bound;
use mogbox_core::module::{ModuleIndex, Serving};
use mogbox_core::store::{IndexSnapshot, ModuleStore, StoreError};
use redis::{Cmd, FromRedisValue, Script};

use super::scripts::script;
use super::{RedisConnection, failure, keys};
use crate::error::BackendError;
use crate::modules::{check_digest, read_index, read_serving, write_index, write_serving};

static REPLACE: LazyLock<Script> = script!("modules/replace.lua");

/// Time for a module to cross the network.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(60);

/// Modules on a Redis server.
pub struct RedisModules {
    connection: RedisConnection,
}

impl RedisModules {
    /// Modules on this server.
    #[must_use]
    pub const fn new(connection: RedisConnection) -> Self {
        Self { connection }
    }

    /// Sends a command on a connection of its own: a large body would hold up every other call on the shared one.
    async fn transfer<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BackendError> {
        let work = async {
            let mut connection = self.connection.dedicated().await?;
            command.query_async(&mut connection).await.map_err(|error| failure(&error))
        };
        let late = |_| BackendError::Unavailable(format!("a module did not get through within {TRANSFER_TIMEOUT:?}"));
        tokio::time::timeout(TRANSFER_TIMEOUT, work).await.map_err(late)?
    }
}

#[async_trait]
impl ModuleStore for RedisModules {
    async fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        Ok(self.transfer(redis::cmd("SET").arg(keys::module(digest)).arg(bytes)).await?)
    }

    async fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let question = redis::cmd("GETRANGE").arg(keys::module(digest)).arg(0).arg(Bound::Module.maximum()).to_owned();
        let bytes: Vec<u8> = self.transfer(&question).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(check_digest(*digest, bytes).await?))
    }

    async fn generation(&self) -> Result<u64, StoreError> {
        let question = redis::cmd("GET").arg(keys::GENERATION).to_owned();
        Ok(self.connection.query::<Option<u64>>(&question).await?.unwrap_or(0))
    }

    async fn serving(&self, tenants: &[Tenant]) -> Result<Vec<Serving>, StoreError> {
        let mut questions = redis::pipe();
        for tenant in tenants {
            questions.cmd("HGET").arg(keys::modules(tenant)).arg("serving");
        }
        let found: Vec<Option<String>> = self.connection.pipeline(&questions).await?;
        let read = |text: Option<String>| text.as_deref().map_or_else(|| Ok(Serving::new()), read_serving);
        Ok(found.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn index(&self, tenant: &Tenant) -> Result<IndexSnapshot, StoreError> {
        let question = redis::cmd("HMGET").arg(keys::modules(tenant)).arg("revision").arg("index").to_owned();
        let (revision, index): (Option<u64>, Option<String>) = self.connection.query(&question).await?;
        Ok(IndexSnapshot {
            revision: revision.unwrap_or(0),
            index: index.as_deref().map_or_else(|| Ok(ModuleIndex::default()), read_index)?,
        })
    }

    async fn replace_index(&self, tenant: &Tenant, revision: u64, index: &ModuleIndex) -> Result<bool, StoreError> {
        let mut call = REPLACE.key(keys::modules(tenant));
        call.key(keys::GENERATION).arg(revision).arg(revision.saturating_add(1)).arg(write_index(index)?).arg(write_serving(index)?);
        Ok(self.connection.run(&call).await?)
    }
}
