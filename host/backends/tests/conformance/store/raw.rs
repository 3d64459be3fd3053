//! Redis as another program sees it: commands on keys, beside the stores.

use mogbox_core::ids::{RequestId, Tenant};
use redis::{FromRedisValue, ToRedisArgs};

use crate::harness::redis_url;

/// A connection of its own to the shared server.
pub(super) struct Raw(redis::aio::MultiplexedConnection);

impl Raw {
    pub(super) async fn open() -> Self {
        Self::to(&redis_url()).await
    }

    pub(super) async fn to(url: &str) -> Self {
        Self(redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap())
    }

    /// Sends a command with a key and further arguments.
    pub(super) async fn call<T: FromRedisValue>(&mut self, command: &str, key: impl ToRedisArgs, arguments: &[&[u8]]) -> T {
        redis::cmd(command).arg(key).arg(arguments).query_async(&mut self.0).await.unwrap()
    }

    /// Fields of a hash, sorted.
    pub(super) async fn hash(&mut self, key: &str) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = self.call("HGETALL", key, &[]).await;
        fields.sort();
        fields
    }

    /// Every key of a tenant with its time to live, sorted.
    pub(super) async fn lives(&mut self, tenant: &Tenant) -> Vec<(String, i64)> {
        let mut keys: Vec<String> = self.call("KEYS", format!("{tenant}.*"), &[]).await;
        keys.sort();
        let mut lives = Vec::new();
        for key in keys {
            let ttl = self.call("TTL", &key, &[]).await;
            lives.push((key, ttl));
        }
        lives
    }
}

/// Mognet's key of a result, with what follows the id.
pub(super) fn result_key(tenant: &Tenant, id: RequestId, part: &str) -> String {
    format!("{tenant}.mognet.result.{id}{part}")
}
