//! Whether attempts may start.

use mogbox_core::result::State;
use mogbox_core::store::{Beginning, Begun};
use rusqlite::Connection;

use super::writes::standing;
use crate::error::BackendError;
use crate::results;

pub(super) fn check(connection: &Connection, one: &Beginning) -> Result<Begun, BackendError> {
    let found = standing(connection, &one.tenant, one.id)?;
    let revoked = |ancestor| Ok(standing(connection, &one.tenant, ancestor)?.map(|found| found.state == State::Revoked));
    results::begun(one, found.as_ref(), revoked)
}
