//! Bounds on the keys and bytes of metadata and state: what is there and what comes are counted together.

use std::collections::HashMap;

use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::limits::{Bound, Limits};
use rusqlite::Connection;

use crate::error::BackendError;

/// Bytes of each entry with its key, by key, as the query says.
pub(super) fn sizes(connection: &Connection, sql: &str, tenant: &Tenant, id: RequestId) -> Result<HashMap<String, usize>, BackendError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((tenant.as_str(), id.as_bytes()), |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The bound that entries of these sizes are over, if any.
pub(super) fn over(sizes: &HashMap<String, usize>, limits: &Limits, keys: Bound, bytes: Bound) -> Option<Bound> {
    if sizes.len() > limits.length(keys) {
        return Some(keys);
    }
    (sizes.values().sum::<usize>() > limits.length(bytes)).then_some(bytes)
}
