//! Entries beside a result, which are its metadata or the request's state: written by whoever holds the request, within bounds.

use std::sync::LazyLock;

use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::store::Written;
use redis::Script;

use super::scripts::script;
use super::{RedisConnection, keys};
use crate::error::BackendError;

static SET: LazyLock<Script> = script!("numbers.lua", "results/standing.lua", "entries/bounds.lua", "entries/set.lua");

/// A hash of entries, and what holds for it.
pub(super) struct Hash<'a> {
    pub(super) key: String,
    pub(super) ttl: u64,
    pub(super) keys: Bound,
    pub(super) bytes: Bound,
    pub(super) limits: &'a Limits,
}

/// Stores all entries or none. `fence` is the attempt that writes, none for a writer from outside.
pub(super) async fn set<'a>(
    connection: &RedisConnection,
    (tenant, id): (&Tenant, RequestId),
    fence: Option<u32>,
    hash: &Hash<'_>,
    entries: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Written, BackendError> {
    let mut call = SET.key(keys::result(tenant, id));
    call.key(&hash.key).arg(fence_argument(fence)).arg(hash.limits.get(hash.keys)).arg(hash.limits.get(hash.bytes)).arg(hash.ttl);
    for (key, value) in entries {
        call.arg(key).arg(value);
    }
    let answer: String = connection.run(&call).await?;
    match answer.as_str() {
        "KEYS" => Ok(Written::OverBound(hash.keys)),
        "BYTES" => Ok(Written::OverBound(hash.bytes)),
        other => written(other),
    }
}

/// A fence as the scripts take it.
pub(super) fn fence_argument(fence: Option<u32>) -> String {
    fence.map(|fence| fence.to_string()).unwrap_or_default()
}

/// What a script says of a write.
pub(super) fn written(answer: &str) -> Result<Written, BackendError> {
    match answer {
        "STORED" => Ok(Written::Stored),
        "FENCED" => Ok(Written::Fenced),
        "MISSING" => Ok(Written::Missing),
        other => Err(BackendError::Malformed(format!("unknown answer {other:?}"))),
    }
}
