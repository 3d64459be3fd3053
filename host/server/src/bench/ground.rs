//! Where a measurement takes place: a store with names of its own, so that nothing of anybody else's is touched, and that is left as
//! it was found.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::redis::{RedisConnection, RedisModules};
use mogbox_core::submit::Submitter;
use mogbox_core::{Limits, ModuleStore as _, NodeId, QueueName, Request, RequestId, Shares, TaskName, Tenant};
use tempfile::TempDir;

use super::guest::Guest;
use super::node::{Node, NodeOptions};
use super::redis_server::RedisServer;
use crate::node::{Backend, Backends};

/// Requests submitted in one call.
const FILL_BATCH: usize = 500;

/// A store to measure on.
pub(super) struct Site {
    kind: Kind,
    /// What everything begins with that the bench leaves there.
    prefix: String,
    /// Whether the module was there before.
    knows_guest: bool,
}

enum Kind {
    /// A folder for each measurement.
    Embedded,
    /// A Redis, perhaps of the bench's own.
    Redis { url: String, connection: RedisConnection, _server: Option<Box<RedisServer>> },
}

impl Site {
    /// A folder for each measurement.
    pub(super) fn embedded() -> Self {
        Self { kind: Kind::Embedded, prefix: new_prefix(), knows_guest: false }
    }

    /// A Redis at an address; or one of the bench's own, which ends with this.
    pub(super) async fn redis(url: &str, guest: &Guest, server: Option<RedisServer>) -> anyhow::Result<Self> {
        let connection = RedisConnection::open(url).await?;
        let knows_guest = RedisModules::new(connection.clone()).get(&guest.digest).await?.is_some();
        let kind = Kind::Redis { url: url.to_owned(), connection, _server: server.map(Box::new) };
        Ok(Self { kind, prefix: new_prefix(), knows_guest })
    }

    /// Whether everything is kept in a folder, which one process at a time can use.
    pub(super) const fn is_embedded(&self) -> bool {
        matches!(self.kind, Kind::Embedded)
    }

    /// Whether a Redis of the bench's own runs beside what is measured.
    pub(super) const fn has_server(&self) -> bool {
        matches!(self.kind, Kind::Redis { _server: Some(_), .. })
    }

    /// A fresh ground on this store.
    pub(super) fn ground(&self) -> anyhow::Result<Ground> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (backend, redis) = match &self.kind {
            Kind::Embedded => (Backend::Embedded(folder.path().join("store")), None),
            Kind::Redis { url, connection, .. } => (Backend::Redis(url.clone()), Some(connection.clone())),
        };
        Ok(Ground { backend, redis, queue: format!("{}.{}", self.prefix, random()).parse()?, folder })
    }

    /// Leaves the store as it was found. A folder goes by itself.
    pub(super) async fn clear(&self, guest: &Guest) -> anyhow::Result<()> {
        let Kind::Redis { connection, .. } = &self.kind else { return Ok(()) };
        forget(connection, &self.prefix).await?;
        if !self.knows_guest {
            connection.sweep(&format!("mogbox.module.{}", guest.digest)).await?;
        }
        Ok(())
    }
}

/// Removes what begins so: a tenant's keys, and those of a queue.
async fn forget(redis: &RedisConnection, prefix: &str) -> anyhow::Result<()> {
    redis.sweep(prefix).await?;
    redis.sweep(&format!("mogbox:{{{prefix}")).await?;
    Ok(())
}

fn new_prefix() -> String {
    format!("mogbox-bench-{}", random())
}

/// Eight characters that nobody else has.
fn random() -> String {
    RequestId::random().to_string().chars().take(8).collect()
}

/// A queue and tenants of their own at a store.
pub(super) struct Ground {
    backend: Backend,
    pub(super) redis: Option<RedisConnection>,
    queue: QueueName,
    folder: TempDir,
}

/// A request that was submitted.
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) tenant: Tenant,
    pub(super) id: RequestId,
}

impl Ground {
    /// One of this ground's tenants.
    pub(super) fn tenant(&self, number: usize) -> anyhow::Result<Tenant> {
        Ok(format!("{}.{number}", self.queue).parse()?)
    }

    /// The name of a queue that no node serves.
    pub(super) fn unserved(&self) -> String {
        format!("{}.unserved", self.queue)
    }

    /// The stores and the broker, in this process. The embedded ones cannot be opened while a node runs.
    pub(super) async fn open(&self) -> anyhow::Result<Backends> {
        self.open_with(Shares::default()).await
    }

    /// The same, where tenants have these shares.
    pub(super) async fn open_with(&self, tenants: Shares) -> anyhow::Result<Backends> {
        let broker = BrokerSettings { queues: vec![self.queue.clone()], tenants, ..BrokerSettings::default() };
        Backends::open(&self.backend, broker, &NodeId::random()).await
    }

    /// Starts a node that serves the queue of this ground.
    pub(super) async fn node(&self, options: &NodeOptions) -> anyhow::Result<Node> {
        Node::start(&self.backend, self.queue.as_str(), options, self.folder.path()).await
    }

    /// A request of a task through the queue of this ground.
    pub(super) fn request(&self, task: &TaskName) -> Request {
        Request { queue_name: Some(self.queue.to_string()), ..Request::new(task.clone()) }
    }

    /// Gives the guest to tenants, and queues requests of its no-op task, to each tenant in turn.
    pub(super) async fn fill(&self, ports: &Backends, guest: &Guest, tenants: usize, requests: usize) -> anyhow::Result<Vec<Ticket>> {
        let tenants = (0..tenants).map(|number| self.tenant(number)).collect::<anyhow::Result<Vec<_>>>()?;
        let submitter = submitter(ports);
        let mut tickets = Vec::with_capacity(requests);
        for start in (0..requests).step_by(FILL_BATCH) {
            let numbers = start..requests.min(start + FILL_BATCH);
            let groups = tenants.iter().enumerate().map(|(place, tenant)| (tenant, share(&numbers, place, tenants.len())));
            let calls = groups.filter(|(_, share)| *share > 0).map(|(tenant, share)| {
                let requests = (0..share).map(|_| self.request(&guest.noop)).collect();
                let submitter = &submitter;
                async move { Ok::<_, anyhow::Error>((tenant, submitter.submit_all(tenant, requests, Duration::ZERO).await?)) }
            });
            for submitted in join_all(calls).await {
                let (tenant, ids) = submitted?;
                tickets.extend(ids.into_iter().map(|id| Ticket { tenant: tenant.clone(), id }));
            }
        }
        Ok(tickets)
    }

    /// Makes the guest the active module of as many tenants.
    pub(super) async fn push(&self, ports: &Backends, guest: &Guest, tenants: usize) -> anyhow::Result<()> {
        ports.modules.put(&guest.digest, &guest.bytes).await?;
        for batch in (0..tenants).collect::<Vec<_>>().chunks(FILL_BATCH) {
            let tenants = batch.iter().map(|number| self.tenant(*number)).collect::<anyhow::Result<Vec<_>>>()?;
            let pushed = tenants.iter().map(|tenant| ports.modules.replace_index(tenant, 0, &guest.index));
            join_all(pushed).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        Ok(())
    }

    /// Removes what it left at a server. A folder goes by itself.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        match &self.redis {
            Some(redis) => forget(redis, self.queue.as_str()).await,
            None => Ok(()),
        }
    }
}

/// Takes requests in, in this process.
pub(super) fn submitter(ports: &Backends) -> Submitter {
    Submitter::new(Arc::clone(&ports.intake), Limits::default())
}

/// How many of these numbers fall to the one at `place` when they go round.
fn share(numbers: &std::ops::Range<usize>, place: usize, round: usize) -> usize {
    let below = |end: usize| (end + round - 1 - place) / round;
    below(numbers.end) - below(numbers.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round() {
        assert_eq!([0, 1, 2].map(|place| share(&(0..7), place, 3)), [3, 2, 2]);
        assert_eq!([0, 1, 2].map(|place| share(&(2..4), place, 3)), [1, 0, 1]);
    }
}
