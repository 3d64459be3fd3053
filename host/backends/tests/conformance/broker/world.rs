//! A backend with a queue and a tenant of the test's own, and the hands that reach below the port.

use std::sync::Arc;
use std::time::Duration;

use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::embedded::Database;
use mogbox_backends::embedded::broker::EmbeddedBroker;
use mogbox_backends::redis::broker::RedisBroker;
use mogbox_core::broker::{Broker, Delivery, Submission, Wanted};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::request::Request;
use tempfile::TempDir;

use crate::harness::{fresh_tenant, redis_connection, redis_url};

/// Shorter than the time after which a receiver looks for work by itself: who returns within it was woken.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// A wait that no test sits out.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Where a test runs.
pub(crate) struct World {
    pub(crate) queue: QueueName,
    pub(crate) tenant: Tenant,
    embedded: Option<(EmbeddedBroker, Arc<TempDir>)>,
}

impl World {
    pub(crate) async fn redis() -> Self {
        Self { queue: fresh_queue(), tenant: fresh_tenant(), embedded: None }
    }

    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::new(Database::open(folder.path()).unwrap(), BrokerSettings::default()).unwrap();
        Self { queue: fresh_queue(), tenant: fresh_tenant(), embedded: Some((broker, Arc::new(folder))) }
    }

    /// The same backend with another queue and tenant.
    pub(crate) fn afresh(&self) -> Self {
        Self { queue: fresh_queue(), tenant: fresh_tenant(), embedded: self.embedded.clone() }
    }

    /// Settings that consume the test's queue.
    pub(crate) fn settings(&self) -> BrokerSettings {
        BrokerSettings { queues: vec![self.queue.clone()], ..BrokerSettings::default() }
    }

    /// One more node on the backend.
    pub(crate) async fn node(&self) -> Arc<dyn Broker> {
        self.node_with(|_| ()).await
    }

    /// One more node, whose leases are this long.
    pub(crate) async fn node_with_lease(&self, lease: Duration) -> Arc<dyn Broker> {
        self.node_with(|settings| settings.lease = lease).await
    }

    /// One more node with changed settings.
    pub(crate) async fn node_with(&self, change: impl FnOnce(&mut BrokerSettings)) -> Arc<dyn Broker> {
        let mut settings = self.settings();
        change(&mut settings);
        match &self.embedded {
            Some((broker, _)) => Arc::new(broker.with(settings).unwrap()),
            None => Arc::new(RedisBroker::new(redis_connection().await, settings).unwrap()),
        }
    }

    /// A new request of the test's tenant.
    pub(crate) fn request(&self) -> Submission {
        self.request_of(&self.tenant)
    }

    pub(crate) fn request_of(&self, tenant: &Tenant) -> Submission {
        let request = Arc::new(Request::new("example.add".parse().unwrap()));
        Submission { tenant: tenant.clone(), queue: self.queue.clone(), request, delay: Duration::ZERO }
    }

    pub(crate) fn request_with_priority(&self, priority: u8) -> Submission {
        let mut submission = self.request();
        Arc::make_mut(&mut submission.request).priority = priority;
        submission
    }

    pub(crate) fn requests_of(&self, tenant: &Tenant, number: usize) -> Vec<Submission> {
        (0..number).map(|_| self.request_of(tenant)).collect()
    }

    /// Submits a request and puts these bytes in the place of its message.
    pub(crate) async fn submit_raw(&self, node: &dyn Broker, body: &[u8]) -> RequestId {
        let submission = self.request();
        let id = submission.request.id;
        node.submit(&[submission]).await.unwrap();
        match self.database() {
            Some(database) => {
                let values = (self.queue.as_str(), id.to_string(), body);
                assert_eq!(database.execute("UPDATE broker_requests SET body = ?3 WHERE queue = ?1 AND id = ?2", values).unwrap(), 1);
            }
            None => {
                let key = format!("{}request:{}:{id}", self.base(), self.tenant);
                let mut redis = redis_by_hand();
                let mut text: Vec<u8> = redis::cmd("GETRANGE").arg(&key).arg(0).arg(53).query(&mut redis).unwrap();
                text.extend(body);
                redis::cmd("SET").arg(key).arg(text).query::<()>(&mut redis).unwrap();
            }
        }
        id
    }

    /// Lets all leases run out, and all delays.
    pub(crate) async fn pass_time(&self) {
        match self.database() {
            Some(database) => drop(database.execute("UPDATE broker_requests SET at = at - 100000000000000 WHERE state > 0", []).unwrap()),
            None => {
                for kind in ["leases", "delayed"] {
                    self.pass_time_in(kind);
                }
            }
        }
    }

    fn pass_time_in(&self, kind: &str) {
        let (mut redis, key) = (redis_by_hand(), format!("{}{kind}", self.base()));
        let members: Vec<String> = redis::Cmd::zrange(&key, 0, -1).query(&mut redis).unwrap();
        let mut adds = redis::pipe();
        for (score, member) in members.iter().enumerate() {
            adds.zadd(&key, member, score);
        }
        if !adds.is_empty() {
            adds.query::<()>(&mut redis).unwrap();
        }
    }

    /// Puts this many dead letters of the tenant where they are kept, with the reason `old`.
    pub(crate) async fn fill_dead_letters(&self, number: usize) {
        match self.database() {
            Some(database) => {
                let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
                    INSERT INTO broker_dead (queue, tenant, id, body, reason, at)
                    SELECT ?1, ?2, '', x'00', 'old', unixepoch() * 1000000 FROM n";
                let number = i64::try_from(number).unwrap();
                database.execute(sql, (self.queue.as_str(), self.tenant.as_str(), number)).unwrap();
            }
            None => {
                let key = format!("{}dead:{}", self.base(), self.tenant);
                let letter = r#"{"id":"","body":"","reason":"old","at":"1700000000000000"}"#;
                redis::Cmd::rpush(key, vec![letter; number]).query::<()>(&mut redis_by_hand()).unwrap();
            }
        }
    }

    /// What the broker keeps of the queue, but for dead letters: keys, or tables with their number of rows.
    pub(crate) async fn kept(&self) -> Vec<String> {
        if let Some(database) = self.database() {
            let rows = |table: &str| {
                let sql = format!("SELECT count(*) FROM {table} WHERE queue = ?1");
                database.query_row(&sql, [self.queue.as_str()], |row| row.get::<_, i64>(0)).unwrap()
            };
            let tables = ["broker_requests", "broker_tenants", "broker_queues"].map(|table| (table, rows(table)));
            return tables.into_iter().filter(|(_, rows)| *rows > 0).map(|(table, rows)| format!("{table}: {rows}")).collect();
        }
        let mut redis = redis_by_hand();
        let keys: Vec<String> = redis::cmd("KEYS").arg("mogbox:*").query(&mut redis).unwrap();
        let ours = format!("mogbox:{{{}:", self.queue);
        let dead = format!("{}dead:", self.base());
        keys.into_iter().filter(|key| key.starts_with(&ours) && !key.starts_with(&dead)).collect()
    }

    fn base(&self) -> String {
        format!("mogbox:{{{}:0}}:", self.queue)
    }

    fn database(&self) -> Option<rusqlite::Connection> {
        let (_, folder) = self.embedded.as_ref()?;
        let connection = rusqlite::Connection::open(folder.path().join("mogbox.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        Some(connection)
    }
}

fn fresh_queue() -> QueueName {
    format!("q-{}", RequestId::random()).parse().unwrap()
}

/// A connection beside the broker's.
pub(crate) fn redis_by_hand() -> redis::Connection {
    redis::Client::open(redis_url()).unwrap().get_connection().unwrap()
}

/// The ids of requests in their order.
pub(crate) fn ids(submissions: &[Submission]) -> Vec<RequestId> {
    submissions.iter().map(|submission| submission.request.id).collect()
}

/// The ids of deliveries in their order.
pub(crate) fn delivered(deliveries: &[Delivery]) -> Vec<RequestId> {
    deliveries.iter().map(|delivery| delivery.lease.id).collect()
}

/// Receives what is ready now.
pub(crate) async fn take(node: &dyn Broker, wanted: usize) -> Vec<Delivery> {
    node.receive(&Wanted::any(wanted), Duration::ZERO).await.unwrap()
}

/// Receives one delivery, which must come soon.
pub(crate) async fn take_one(node: &dyn Broker) -> Delivery {
    let mut deliveries = tokio::time::timeout(SOON, node.receive(&Wanted::any(1), LONG)).await.expect("a delivery comes soon").unwrap();
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}
