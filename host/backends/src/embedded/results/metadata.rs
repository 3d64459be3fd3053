//! Metadata of results, and who may write it. Within the transaction of a call nothing else runs, so looking first and writing then is
//! one step.

use mogbox_core::entries::Entries;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::store::Written;
use rusqlite::Connection;

use super::writes::standing;
use crate::embedded::bounds;
use crate::embedded::columns::{RESULT_TTL, expiry};
use crate::error::BackendError;

/// Why an attempt may not write beside this result, if so. An attempt whose result is final holds it no more. Without a fence it is a
/// writer from outside, who needs no more than a result.
pub(in crate::embedded) fn refused(
    connection: &Connection,
    tenant: &Tenant,
    id: RequestId,
    fence: Option<u32>,
) -> Result<Option<Written>, BackendError> {
    let Some(standing) = standing(connection, tenant, id)? else { return Ok(Some(Written::Missing)) };
    Ok(fence.is_some_and(|fence| standing.state.is_final() || fence < standing.attempt).then_some(Written::Fenced))
}

pub(super) fn set(
    connection: &Connection,
    (tenant, id): (&Tenant, RequestId),
    fence: Option<u32>,
    entries: &Entries,
    limits: &Limits,
) -> Result<Written, BackendError> {
    if let Some(why) = refused(connection, tenant, id, fence)? {
        return Ok(why);
    }
    let present = "SELECT key, length(CAST(key AS BLOB)) + length(CAST(value AS BLOB)) FROM metadata WHERE tenant = ?1 AND id = ?2";
    let mut sizes = bounds::sizes(connection, present, tenant, id)?;
    sizes.extend(entries.iter().map(|(key, value)| (key.to_owned(), key.len() + value.size())));
    if let Some(bound) = bounds::over(&sizes, limits, Bound::MetadataKeys, Bound::Metadata) {
        return Ok(Written::OverBound(bound));
    }
    store(connection, tenant, id, entries)?;
    let sql = "UPDATE results SET expires = ?3 WHERE tenant = ?1 AND id = ?2";
    connection.prepare_cached(sql)?.execute((tenant.as_str(), id.as_bytes(), expiry(RESULT_TTL)))?;
    Ok(Written::Stored)
}

pub(super) fn store(connection: &Connection, tenant: &Tenant, id: RequestId, entries: &Entries) -> Result<(), BackendError> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO metadata (tenant, id, key, value) VALUES (?1, ?2, ?3, ?4)")?;
    for (key, value) in entries.iter() {
        statement.execute((tenant.as_str(), id.as_bytes(), key, value.as_str()))?;
    }
    Ok(())
}
