//! Dead letters, bounded in number and time, and the counts of what lies where.

use mogbox_core::broker::{Backlog, BrokerError, DeadLetter};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use rusqlite::Connection;

use super::EmbeddedBroker;
use super::shard::Shard;
use crate::broker::{DEAD_LIFETIME, LONGEST_DEAD_BODY, MOST_DEAD, MOST_DEAD_READ, clip_reason, dead_letter, micros, newest_first};
use crate::error::BackendError;

/// Letters past their time that are removed with each new one.
const MOST_PURGED: i64 = 100;

/// Keeps the request as a dead letter, and drops those that are over the bounds.
pub(super) fn bury(shard: &Shard<'_>, tenant: &str, id: &str, reason: &str) -> Result<(), BackendError> {
    let sql = "INSERT INTO broker_dead (queue, tenant, id, body, reason, at)
        SELECT queue, tenant, id, coalesce(substr(CAST(body AS BLOB), 1, ?4), x''), ?5, ?6 FROM broker_requests
        WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
    let values = (shard.queue, tenant, id, signed(LONGEST_DEAD_BODY), clip_reason(reason), shard.now);
    shard.execute(sql, values)?;
    let sql = "DELETE FROM broker_dead WHERE tenant = ?1 AND queue = ?2 AND number <=
        (SELECT number FROM broker_dead WHERE tenant = ?1 AND queue = ?2 ORDER BY number DESC LIMIT 1 OFFSET ?3)";
    shard.execute(sql, (tenant, shard.queue, signed(MOST_DEAD)))?;
    purge(shard)
}

fn purge(shard: &Shard<'_>) -> Result<(), BackendError> {
    let sql = "DELETE FROM broker_dead WHERE number IN (SELECT number FROM broker_dead WHERE at < ?1 LIMIT ?2)";
    shard.execute(sql, (oldest(shard.now), MOST_PURGED)).map(drop)
}

/// Before this time, letters are past theirs.
fn oldest(now: i64) -> i64 {
    now.saturating_sub(i64::try_from(micros(DEAD_LIFETIME)).unwrap_or(i64::MAX))
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn queues(broker: &EmbeddedBroker, tenant: Tenant) -> Result<Vec<(QueueName, Backlog)>, BrokerError> {
    let queues = broker.settings.queues.clone();
    let count = move |connection: &Connection| {
        let counted = |queue: QueueName| {
            let backlog = count_queue(connection, queue.as_str(), tenant.as_str())?;
            Ok((queue, backlog))
        };
        queues.into_iter().map(counted).collect::<Result<Vec<_>, BackendError>>()
    };
    Ok(broker.database.call(count).await?)
}

fn count_queue(connection: &Connection, queue: &str, tenant: &str) -> Result<Backlog, BackendError> {
    let sql = "SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2),
        (SELECT count(*) FROM broker_dead WHERE queue = ?1 AND tenant = ?2 AND at >= ?3)
        FROM broker_requests WHERE queue = ?1 AND tenant = ?2";
    let values = (queue, tenant, oldest(jiff::Timestamp::now().as_microsecond()));
    let counts: [i64; 4] =
        connection.prepare_cached(sql)?.query_row(values, |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    let [ready, delayed, leased, dead] = counts.map(i64::unsigned_abs);
    Ok(Backlog { ready, delayed, leased, dead })
}

pub(super) async fn knows(broker: &EmbeddedBroker, requests: Vec<(Tenant, QueueName, RequestId)>) -> Result<Vec<bool>, BrokerError> {
    let look = move |connection: &Connection| {
        let sql = "SELECT EXISTS (SELECT 1 FROM broker_requests WHERE queue = ?1 AND tenant = ?2 AND id = ?3)";
        let mut query = connection.prepare_cached(sql)?;
        let known = requests
            .iter()
            .map(|(tenant, queue, id)| Ok(query.query_row((queue.as_str(), tenant.as_str(), id.to_string()), |row| row.get(0))?));
        known.collect::<Result<Vec<bool>, BackendError>>()
    };
    Ok(broker.database.call(look).await?)
}

pub(super) async fn dead_letters(broker: &EmbeddedBroker, tenant: Tenant, most: usize) -> Result<Vec<DeadLetter>, BrokerError> {
    let (queues, most) = (broker.settings.queues.clone(), most.min(MOST_DEAD_READ));
    let read = move |connection: &Connection| {
        let mut rows = Vec::new();
        for queue in queues {
            rows.extend(read_dead(connection, &queue, tenant.as_str(), most)?.into_iter().map(|row| (queue.clone(), row)));
        }
        Ok(rows)
    };
    let rows = broker.database.call(read).await?;
    let letters = rows.into_iter().map(|(queue, (body, reason, at))| dead_letter(queue, &body, reason, at));
    Ok(newest_first(letters.collect::<Result<_, _>>()?, most))
}

/// Body, reason and time, newest first.
type Row = (Vec<u8>, String, i64);

fn read_dead(connection: &Connection, queue: &QueueName, tenant: &str, most: usize) -> Result<Vec<Row>, BackendError> {
    let sql = "SELECT body, reason, at FROM broker_dead WHERE tenant = ?1 AND queue = ?2 AND at >= ?3 ORDER BY number DESC LIMIT ?4";
    let mut query = connection.prepare_cached(sql)?;
    let values = (tenant, queue.as_str(), oldest(jiff::Timestamp::now().as_microsecond()), signed(most));
    let rows = query.query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
