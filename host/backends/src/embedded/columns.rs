//! How the stores' words are kept in columns: ids as 16 bytes, moments as microseconds since 1970, times to live as a moment.

use std::time::Duration;

use jiff::Timestamp;
use mogbox_core::ids::RequestId;
use rusqlite::Row;

use crate::error::BackendError;

/// How long a result, its metadata and its children live after they were last written, as on Redis.
pub(super) const RESULT_TTL: Duration = Duration::from_secs(21 * 86_400);

/// How long values and reports live.
pub(super) const VALUE_TTL: Duration = Duration::from_secs(7 * 86_400);

/// How long state lives after it was last read or written.
pub(super) const STATE_TTL: Duration = Duration::from_secs(7_200);

/// Now.
pub(super) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The moment at which what is written now expires.
pub(super) fn expiry(ttl: Duration) -> i64 {
    now().saturating_add(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX))
}

/// An id from its bytes.
pub(super) fn id(row: &Row<'_>, column: &str) -> Result<RequestId, BackendError> {
    optional_id(row, column)?.ok_or_else(|| BackendError::Malformed(format!("no id in column {column}")))
}

/// An id that may be absent.
pub(super) fn optional_id(row: &Row<'_>, column: &str) -> Result<Option<RequestId>, BackendError> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    let read = |bytes: Vec<u8>| RequestId::from_slice(&bytes).ok_or_else(|| BackendError::Malformed(format!("column {column} is no id")));
    bytes.map(read).transpose()
}

/// A moment that may be absent.
pub(super) fn moment(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>, BackendError> {
    let micros: Option<i64> = row.get(column)?;
    micros.map(|micros| Timestamp::from_microsecond(micros).map_err(|error| BackendError::Malformed(error.to_string()))).transpose()
}
