//! What an onlooker asks a Redis server: how much work and memory it spends, which values are stored, and to forget what a test run
//! left. Knows names of keys, not what is in them.

use std::collections::HashMap;

use mogbox_core::ids::{RequestId, Tenant};

use super::{RedisConnection, keys};
use crate::error::BackendError;

/// Keys looked at, and removed, in one call of a sweep.
const SWEEP: usize = 1_000;

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerFigures {
    /// Seconds of processor time since it started.
    pub cpu_seconds: f64,
    /// Bytes that its data takes.
    pub used_memory: u64,
}

impl RedisConnection {
    /// What the server spends.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn figures(&self) -> Result<ServerFigures, BackendError> {
        let mut both = redis::pipe();
        both.cmd("INFO").arg("cpu").cmd("INFO").arg("memory");
        let texts: Vec<String> = self.pipeline(&both).await?;
        let facts: HashMap<&str, &str> = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(':')).collect();
        let number = |name: &str| facts.get(name).and_then(|text| text.trim().parse::<f64>().ok()).unwrap_or_default();
        let memory = facts.get("used_memory").and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        Ok(ServerFigures { cpu_seconds: number("used_cpu_user") + number("used_cpu_sys"), used_memory: memory })
    }

    /// How many of these requests have a value: they are done.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn count_values<'a>(&self, requests: impl Iterator<Item = (&'a Tenant, RequestId)>) -> Result<usize, BackendError> {
        let mut command = redis::cmd("EXISTS");
        requests.for_each(|(tenant, id)| {
            command.arg(keys::value(tenant, id));
        });
        self.query(&command).await
    }

    /// Removes every key that begins so. Takes time in proportion to all keys of the server, a thousand a call.
    ///
    /// # Errors
    /// Where the server does not answer; keys may be gone by then.
    pub async fn sweep(&self, prefix: &str) -> Result<u64, BackendError> {
        let pattern: String = prefix.chars().flat_map(|c| ['\\', c]).chain(['*']).collect();
        let (mut cursor, mut removed) = (0_u64, 0);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SWEEP);
            let (next, found): (u64, Vec<Vec<u8>>) = self.query(&scan).await?;
            if !found.is_empty() {
                removed += self.query::<u64>(redis::cmd("UNLINK").arg(&found)).await?;
                // Those that were open results are not any more.
                self.query::<u64>(redis::cmd("ZREM").arg(keys::OPEN).arg(found)).await?;
            }
            if next == 0 {
                return Ok(removed);
            }
            cursor = next;
        }
    }
}
