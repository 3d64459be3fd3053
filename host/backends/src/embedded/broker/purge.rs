//! Removes requests that nobody has begun. Twin of `purge.lua`.

use mogbox_core::broker::BrokerError;
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use rusqlite::Connection;

use super::EmbeddedBroker;
use super::shard::{LEASED, Shard};
use crate::broker::BATCH;
use crate::error::BackendError;

pub(super) async fn purge(broker: &EmbeddedBroker, tenant: &Tenant, queue: &QueueName, most: usize) -> Result<Vec<RequestId>, BrokerError> {
    let (tenant, queue, topics) = (tenant.clone(), queue.clone(), broker.database().broker_topics().clone());
    let work = move |connection: &Connection| remove(&Shard::new(connection, &queue, &topics), tenant.as_str(), most.min(BATCH));
    let ids: Vec<String> = broker.database().call(work).await?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}

fn remove(shard: &Shard<'_>, tenant: &str, most: usize) -> Result<Vec<String>, BackendError> {
    let sql = "DELETE FROM broker_requests WHERE queue = ?1 AND tenant = ?2 AND id IN
        (SELECT id FROM broker_requests WHERE queue = ?1 AND tenant = ?2 AND state <> ?3 ORDER BY state, priority DESC, sequence LIMIT ?4)
        RETURNING id";
    let mut query = shard.connection.prepare_cached(sql)?;
    let values = (shard.queue, tenant, LEASED, i64::try_from(most).unwrap_or(i64::MAX));
    let ids = query.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
    shard.place(tenant)?;
    shard.rest()?;
    Ok(ids)
}
