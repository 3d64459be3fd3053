//! Takes back what expired, promotes what is due, and hands out requests of a queue. Twin of parts of `exchange.lua`.

use std::collections::HashMap;
use std::time::Duration;

use mogbox_core::broker::{Lease, Wanted};
use mogbox_core::ids::QueueName;
use rusqlite::Rows;

use super::shard::{DELAYED, LEASED, READY, RUNNABLE, SPENT, Shard};
use crate::broker::{BATCH, Claimed, ESTIMATED_COST, MOST_CLAIMED_BYTES, MOST_PROMOTED, MOST_TAKEN_BACK, Message};
use crate::error::BackendError;

/// Accounts that are forgotten in one call.
const MOST_FORGOTTEN: usize = 100;

/// Hands out what is `wanted`, for `lease` microseconds.
pub(super) fn claim(shard: &Shard<'_>, queue: &QueueName, wanted: &Wanted, lease: i64) -> Result<Claimed, BackendError> {
    take_back(shard)?;
    promote(shard)?;
    let messages = hand_out_many(shard, queue, &wanted.up_to(BATCH), shard.now.saturating_add(lease))?;
    forget_spent(shard)?;
    shard.rest()?;
    Ok(Claimed { messages, next: time_to_next(shard)? })
}

/// Requests in this state whose time has come: tenant, id and the time, earliest first.
fn past(shard: &Shard<'_>, state: i64, most: usize) -> Result<Vec<(String, String, i64)>, BackendError> {
    let sql = "SELECT tenant, id, at FROM broker_requests WHERE queue = ?1 AND state = ?2 AND at <= ?3 ORDER BY at LIMIT ?4";
    let mut query = shard.connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = query.query_map((shard.queue, state, shard.now, most), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn take_back(shard: &Shard<'_>) -> Result<(), BackendError> {
    for (tenant, id, _) in past(shard, LEASED, MOST_TAKEN_BACK)? {
        let sql = "UPDATE broker_requests SET expiries = expiries + 1 WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
        shard.execute(sql, (shard.queue, &tenant, &id))?;
        shard.make_ready(&tenant, &id, shard.now)?;
        shard.place(&tenant)?;
    }
    Ok(())
}

fn promote(shard: &Shard<'_>) -> Result<(), BackendError> {
    for (tenant, id, due) in past(shard, DELAYED, MOST_PROMOTED)? {
        shard.enqueue(&tenant, &id, due)?;
        shard.place(&tenant)?;
    }
    Ok(())
}

/// The tenant that is furthest behind goes first; the queue's time is that at which the last one was served.
fn hand_out_many(shard: &Shard<'_>, queue: &QueueName, wanted: &Wanted, until: i64) -> Result<Vec<Message>, BackendError> {
    let (mut messages, mut bytes, mut taken) = (Vec::new(), 0, HashMap::<String, usize>::new());
    let is_wanted = |tenant: &str, taken: &HashMap<String, usize>| {
        taken.get(tenant).is_none_or(|taken| *taken < wanted.of_each) && wanted.not_of.iter().all(|other| other.as_str() != tenant)
    };
    while messages.len() < wanted.most && bytes < MOST_CLAIMED_BYTES {
        let sql = "SELECT tenant, vtime FROM broker_tenants WHERE queue = ?1 AND line = ?2 ORDER BY vtime, tenant";
        let mut query = shard.connection.prepare_cached(sql)?;
        let first = first_of(query.query((shard.queue, RUNNABLE))?, |tenant| is_wanted(tenant, &taken))?;
        let Some((tenant, vtime)) = first else { break };
        *taken.entry(tenant.clone()).or_default() += 1;
        if let Some(message) = hand_out(shard, queue, &tenant, until)? {
            bytes += message.body.len();
            messages.push(message);
        }
        let sql = "UPDATE broker_queues SET vtime = max(vtime, ?2) WHERE queue = ?1";
        shard.execute(sql, (shard.queue, vtime))?;
        shard.place(&tenant)?;
    }
    Ok(messages)
}

/// The first tenant of whom something is wanted, and its virtual time.
fn first_of(mut line: Rows<'_>, is_wanted: impl Fn(&str) -> bool) -> Result<Option<(String, f64)>, BackendError> {
    while let Some(row) = line.next()? {
        let tenant: String = row.get(0)?;
        if is_wanted(&tenant) {
            return Ok(Some((tenant, row.get(1)?)));
        }
    }
    Ok(None)
}

/// None where a name is none of ours: whoever wrote it by hand gets it logged each time its lease ends.
fn hand_out(shard: &Shard<'_>, queue: &QueueName, tenant: &str, until: i64) -> Result<Option<Message>, BackendError> {
    let sql = "SELECT id, fence + 1, expiries, at, CAST(body AS BLOB) FROM broker_requests
        WHERE queue = ?1 AND tenant = ?2 AND state = ?3 ORDER BY priority DESC, sequence LIMIT 1";
    let mut query = shard.connection.prepare_cached(sql)?;
    let (id, fence, expiries, since, body): (String, u32, u32, i64, Vec<u8>) =
        query.query_row((shard.queue, tenant, READY), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let sql = "UPDATE broker_requests SET state = ?4, at = ?5, fence = ?6, waiting = 0 WHERE queue = ?1 AND tenant = ?2 AND id = ?3";
    shard.execute(sql, (shard.queue, tenant, &id, LEASED, until, fence))?;
    shard.charge(tenant, ESTIMATED_COST as f64)?;
    let (Ok(tenant), Ok(id)) = (tenant.parse(), id.parse()) else {
        tracing::error!(tenant, id, %queue, "a request with a malformed name is passed over");
        return Ok(None);
    };
    let queued = Duration::from_micros(u64::try_from(shard.now.saturating_sub(since)).unwrap_or(0));
    Ok(Some(Message { lease: Lease { tenant, queue: queue.clone(), id, fence }, expiries, queued, body }))
}

/// A tenant that the queue's time has caught up with needs no account.
fn forget_spent(shard: &Shard<'_>) -> Result<(), BackendError> {
    let sql = "DELETE FROM broker_tenants WHERE queue = ?1 AND tenant IN
        (SELECT tenant FROM broker_tenants WHERE queue = ?1 AND line = ?2 AND vtime <= ?3 LIMIT ?4)";
    let most = i64::try_from(MOST_FORGOTTEN).unwrap_or(i64::MAX);
    shard.execute(sql, (shard.queue, SPENT, shard.vtime()?, most)).map(drop)
}

fn time_to_next(shard: &Shard<'_>) -> Result<Option<Duration>, BackendError> {
    let first = "SELECT min(at) FROM broker_requests WHERE queue = ?1 AND state = ?2";
    let mut query = shard.connection.prepare_cached(first)?;
    let mut first = |state: i64| query.query_row((shard.queue, state), |row| row.get::<_, Option<i64>>(0));
    let next = first(DELAYED)?.into_iter().chain(first(LEASED)?).min();
    Ok(next.map(|next| Duration::from_micros(u64::try_from(next.saturating_sub(shard.now)).unwrap_or(0))))
}
