//! One queue in the database, and the steps that its calls share: order, fairness between tenants, and rest. Twin of `shard.lua`.

use mogbox_core::broker::Lease;
use mogbox_core::ids::QueueName;
use rusqlite::{Connection, OptionalExtension as _, Params};

use crate::broker::Share;
use crate::error::BackendError;
use crate::topics::Topics;

/// States of a request.
pub(super) const READY: i64 = 0;
pub(super) const DELAYED: i64 = 1;
pub(super) const LEASED: i64 = 2;

/// Places of a tenant.
const AT_REST: i64 = 0;
pub(super) const RUNNABLE: i64 = 1;
pub(super) const SPENT: i64 = 2;

/// A queue within one call. Receivers are woken before the call is committed: they can only look after it.
pub(super) struct Shard<'a> {
    pub(super) connection: &'a Connection,
    pub(super) queue: &'a str,
    pub(super) now: i64,
    topics: &'a Topics<String>,
}

impl<'a> Shard<'a> {
    pub(super) fn new(connection: &'a Connection, queue: &'a QueueName, topics: &'a Topics<String>) -> Self {
        Self { connection, queue: queue.as_str(), now: jiff::Timestamp::now().as_microsecond(), topics }
    }

    pub(super) fn execute(&self, sql: &str, values: impl Params) -> Result<usize, BackendError> {
        Ok(self.connection.prepare_cached(sql)?.execute(values)?)
    }

    fn exists(&self, sql: &str, values: impl Params) -> Result<bool, BackendError> {
        Ok(self.connection.prepare_cached(sql)?.exists(values)?)
    }

    pub(super) fn vtime(&self) -> Result<f64, BackendError> {
        let mut query = self.connection.prepare_cached("SELECT vtime FROM broker_queues WHERE queue = ?1")?;
        Ok(query.query_row([self.queue], |row| row.get(0)).optional()?.unwrap_or(0.0))
    }

    /// Wakes the receivers of the queue.
    pub(super) fn signal(&self) {
        self.topics.notify(&self.queue.to_owned());
    }

    /// Wakes the receivers where any tenant may be served.
    pub(super) fn signal_if_runnable(&self) -> Result<(), BackendError> {
        if self.exists("SELECT 1 FROM broker_tenants WHERE queue = ?1 AND line = ?2", (self.queue, RUNNABLE))? {
            self.signal();
        }
        Ok(())
    }

    /// Takes a tenant up, with what it may use.
    pub(super) fn enter(&self, tenant: &str, share: Share) -> Result<(), BackendError> {
        let sql = "INSERT INTO broker_tenants (queue, tenant, cap, weight, vtime, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT DO UPDATE SET cap = ?3, weight = ?4, line = iif(line = ?7, ?6, line)";
        self.execute(sql, (self.queue, tenant, share.in_flight, share.weight, self.vtime()?, AT_REST, SPENT)).map(drop)
    }

    pub(super) fn charge(&self, tenant: &str, cost: f64) -> Result<(), BackendError> {
        let sql = "UPDATE broker_tenants SET vtime = vtime + ?3 / weight WHERE queue = ?1 AND tenant = ?2";
        self.execute(sql, (self.queue, tenant, cost)).map(drop)
    }

    /// Puts a tenant where it belongs after anything about it changed: in the line, at rest, or nowhere.
    pub(super) fn place(&self, tenant: &str) -> Result<(), BackendError> {
        let mut query = self.connection.prepare_cached("SELECT cap, vtime, line FROM broker_tenants WHERE queue = ?1 AND tenant = ?2")?;
        let found = query.query_row((self.queue, tenant), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((cap, vtime, line)): Option<(i64, f64, i64)> = found else { return Ok(()) };
        let (ready, in_flight) = (self.has(tenant, READY)?, self.in_flight(tenant)?);
        if ready && in_flight < cap {
            // Whoever comes back into the line gets no credit for the time it was away.
            let vtime = if line == RUNNABLE { vtime } else { vtime.max(self.vtime()?) };
            self.move_to(tenant, RUNNABLE, vtime)
        } else if ready || self.has(tenant, LEASED)? || self.has(tenant, DELAYED)? {
            self.move_to(tenant, AT_REST, vtime)
        } else if vtime > self.vtime()? {
            self.move_to(tenant, SPENT, vtime)
        } else {
            self.execute("DELETE FROM broker_tenants WHERE queue = ?1 AND tenant = ?2", (self.queue, tenant)).map(drop)
        }
    }

    fn move_to(&self, tenant: &str, line: i64, vtime: f64) -> Result<(), BackendError> {
        let sql = "UPDATE broker_tenants SET line = ?3, vtime = ?4 WHERE queue = ?1 AND tenant = ?2 AND (line, vtime) <> (?3, ?4)";
        self.execute(sql, (self.queue, tenant, line, vtime)).map(drop)
    }

    fn has(&self, tenant: &str, state: i64) -> Result<bool, BackendError> {
        self.exists("SELECT 1 FROM broker_requests WHERE queue = ?1 AND tenant = ?2 AND state = ?3", (self.queue, tenant, state))
    }

    fn in_flight(&self, tenant: &str) -> Result<i64, BackendError> {
        // The state is in the text, as that of the index is which is counted here.
        let sql = "SELECT count(*) FROM broker_requests INDEXED BY broker_in_flight
            WHERE queue = ?1 AND tenant = ?2 AND state = 2 AND NOT waiting";
        Ok(self.connection.prepare_cached(sql)?.query_row((self.queue, tenant), |row| row.get(0))?)
    }

    /// Ends the busy period, and with it all accounts, when nothing waits for its turn and nothing is in flight.
    pub(super) fn rest(&self) -> Result<(), BackendError> {
        let busy = "SELECT 1 FROM broker_tenants WHERE queue = ?1 AND line = ?2
            UNION ALL SELECT 1 FROM broker_requests WHERE queue = ?1 AND state = ?3";
        if self.exists(busy, (self.queue, RUNNABLE, LEASED))? {
            return Ok(());
        }
        self.execute("DELETE FROM broker_tenants WHERE queue = ?1 AND line = ?2", (self.queue, SPENT))?;
        if !self.exists("SELECT 1 FROM broker_requests WHERE queue = ?1", [self.queue])? {
            self.execute("DELETE FROM broker_queues WHERE queue = ?1", [self.queue])?;
        }
        Ok(())
    }

    /// A place at the end of every priority class.
    pub(super) fn next_sequence(&self) -> Result<i64, BackendError> {
        let sql = "INSERT INTO broker_queues (queue, sequence) VALUES (?1, 1) ON CONFLICT DO UPDATE SET sequence = sequence + 1
            RETURNING sequence";
        Ok(self.connection.prepare_cached(sql)?.query_row([self.queue], |row| row.get(0))?)
    }

    /// Puts a request among the ready ones, at the place that its priority and sequence give it.
    pub(super) fn make_ready(&self, tenant: &str, id: &str, since: i64) -> Result<(), BackendError> {
        self.change(tenant, id, READY, since)
    }

    /// Puts a request at the end of its priority class.
    pub(super) fn enqueue(&self, tenant: &str, id: &str, since: i64) -> Result<(), BackendError> {
        let sql = "UPDATE broker_requests SET sequence = ?4 WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
        self.execute(sql, (self.queue, tenant, id, self.next_sequence()?))?;
        self.make_ready(tenant, id, since)
    }

    /// Holds a request back for `wait` microseconds.
    pub(super) fn hold_back(&self, tenant: &str, id: &str, wait: i64) -> Result<(), BackendError> {
        let due = self.now.saturating_add(wait);
        let earlier = "SELECT 1 FROM broker_requests WHERE queue = ?1 AND state = ?2 AND at <= ?3";
        // Receivers that wait know only of later times.
        if !self.exists(earlier, (self.queue, DELAYED, due))? {
            self.signal();
        }
        self.change(tenant, id, DELAYED, due)
    }

    pub(super) fn change(&self, tenant: &str, id: &str, state: i64, at: i64) -> Result<(), BackendError> {
        let sql = "UPDATE broker_requests SET state = ?4, at = ?5, waiting = 0 WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
        self.execute(sql, (self.queue, tenant, id, state, at)).map(drop)
    }

    pub(super) fn holds(&self, lease: &Lease, id: &str) -> Result<bool, BackendError> {
        let sql = "SELECT 1 FROM broker_requests WHERE queue = ?1 AND tenant = ?2 AND id = ?3 AND state = ?4 AND fence = ?5";
        self.exists(sql, (self.queue, lease.tenant.as_str(), id, LEASED, lease.fence))
    }
}
