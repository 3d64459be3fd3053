//! Reading results and what lies beside them. What has expired is not there, whether it was removed yet or not.

use mogbox_core::entries::Entries;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::result::{RequestResult, State};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::embedded::columns::{id, moment, now, optional_id};
use crate::error::BackendError;
use crate::results::MAX_CHILDREN;

/// The contents of something kept beside a result, and their encoding.
pub(super) type Kept = (Vec<u8>, Option<String>);

/// One row more than there may be.
#[expect(clippy::cast_possible_wrap, reason = "a small constant")]
const MOST_ROWS: i64 = MAX_CHILDREN as i64 + 1;

pub(super) fn result(connection: &Connection, tenant: &Tenant, id: RequestId) -> Result<Option<RequestResult>, BackendError> {
    let mut statement = connection.prepare_cached("SELECT * FROM results WHERE tenant = ?1 AND id = ?2 AND expires > ?3")?;
    let mut rows = statement.query((tenant.as_str(), id.as_bytes(), now()))?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<RequestResult, BackendError> {
    Ok(RequestResult {
        id: id(row, "id")?,
        name: row.get("name")?,
        state: state(&row.get::<_, String>("state")?)?,
        number_of_starts: row.get("starts")?,
        number_of_stops: row.get("stops")?,
        parent_id: optional_id(row, "parent")?,
        created: moment(row, "created")?,
        started: moment(row, "started")?,
        finished: moment(row, "finished")?,
        node_id: row.get("node_id")?,
        request_kwargs_repr: row.get("kwargs_repr")?,
        retries: row.get("retries")?,
    })
}

/// A state as it is written.
pub(super) fn state(text: &str) -> Result<State, BackendError> {
    serde_json::from_value(text.into()).map_err(|error| BackendError::Malformed(error.to_string()))
}

pub(super) fn kept(connection: &Connection, tenant: &Tenant, id: RequestId, what: &str) -> Result<Option<Kept>, BackendError> {
    let sql = "SELECT contents, encoding FROM kept WHERE tenant = ?1 AND id = ?2 AND what = ?3 AND expires > ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let key = (tenant.as_str(), id.as_bytes(), what, now());
    Ok(statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

pub(super) fn metadata(connection: &Connection, tenant: &Tenant, id: RequestId) -> Result<Option<Entries>, BackendError> {
    if result(connection, tenant, id)?.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached("SELECT key, value FROM metadata WHERE tenant = ?1 AND id = ?2 ORDER BY key")?;
    let rows = statement.query_map((tenant.as_str(), id.as_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut entries = Vec::new();
    for row in rows {
        let (key, text): (String, String) = row?;
        let value = metadata_value(&key, &text)?;
        entries.push((key, value));
    }
    Ok(Some(entries.into_iter().collect()))
}

pub(super) fn metadata_entry(
    connection: &Connection,
    tenant: &Tenant,
    id: RequestId,
    key: &str,
) -> Result<Option<Option<Json>>, BackendError> {
    if result(connection, tenant, id)?.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached("SELECT value FROM metadata WHERE tenant = ?1 AND id = ?2 AND key = ?3")?;
    let found: Option<String> = statement.query_row((tenant.as_str(), id.as_bytes(), key), |row| row.get(0)).optional()?;
    Ok(Some(found.map(|text| metadata_value(key, &text)).transpose()?))
}

fn metadata_value(key: &str, text: &str) -> Result<Json, BackendError> {
    Json::parse(text, text.len()).map_err(|error| BackendError::Malformed(format!("metadata {key:?}: {error}")))
}

pub(super) fn children(connection: &Connection, tenant: &Tenant, parent: RequestId) -> Result<Vec<RequestId>, BackendError> {
    let sql = "SELECT child FROM children WHERE tenant = ?1 AND parent = ?2 AND expires > ?3 ORDER BY child LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((tenant.as_str(), parent.as_bytes(), now(), MOST_ROWS))?;
    let mut children = Vec::new();
    while let Some(row) = rows.next()? {
        children.push(id(row, "child")?);
    }
    if children.len() > MAX_CHILDREN {
        return Err(BackendError::Malformed(format!("request {parent} has more than {MAX_CHILDREN} children")));
    }
    Ok(children)
}
