//! Results that are not final, oldest first. Those of a file that an older node wrote have no queue, and are not among them.

use jiff::Timestamp;
use mogbox_core::ids::QueueName;
use mogbox_core::store::OpenResult;
use rusqlite::{Connection, Row};

use super::reads::state;
use crate::embedded::columns::{id, moment, now};
use crate::error::BackendError;

pub(super) fn open(connection: &Connection, after: Timestamp, until: Timestamp, most: usize) -> Result<Vec<OpenResult>, BackendError> {
    let sql = "SELECT tenant, queue, id, state, attempt, created FROM results
        WHERE state IN ('PENDING', 'RUNNING', 'SUSPENDED') AND created > ?1 AND created <= ?2 AND expires > ?3 AND queue IS NOT NULL
        ORDER BY created LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query((after.as_microsecond(), until.as_microsecond(), now(), most))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<OpenResult, BackendError> {
    let malformed = |error: mogbox_core::ids::InvalidName| BackendError::Malformed(error.to_string());
    Ok(OpenResult {
        tenant: row.get::<_, String>("tenant")?.parse().map_err(malformed)?,
        queue: row.get::<_, String>("queue")?.parse::<QueueName>().map_err(malformed)?,
        id: id(row, "id")?,
        state: state(&row.get::<_, String>("state")?)?,
        attempt: row.get("attempt")?,
        created: moment(row, "created")?.unwrap_or_default(),
    })
}
