//! Starts attempts where their results, retries and ancestors allow it. Twin of `begin.lua`.

use mogbox_core::result::State;
use mogbox_core::store::{Beginning, Begun};
use rusqlite::Connection;

use super::writes::{standing, start};
use crate::error::BackendError;

pub(super) fn begin(connection: &Connection, one: &Beginning) -> Result<Begun, BackendError> {
    let Some(standing) = standing(connection, &one.tenant, one.id)? else { return Ok(Begun::Missing) };
    if standing.state.is_final() {
        return Ok(Begun::Final(standing.state));
    }
    if one.fence < standing.attempt {
        return Ok(Begun::Fenced);
    }
    // Sent again, since its answer was lost: it counts once.
    let again = one.fence == standing.attempt && standing.state == State::Running;
    let unexpected = standing.starts.saturating_sub(standing.stops).saturating_sub(u32::from(again)).max(one.expiries);
    if unexpected > one.max_unexpected {
        return Ok(Begun::TooManyRetries(unexpected));
    }
    if let Some(orphaned) = orphaned(connection, one)? {
        return Ok(orphaned);
    }
    if let Some((node_id, at)) = one.start.as_ref().filter(|_| !again) {
        start(connection, &one.tenant, one.id, one.fence, (node_id.as_str(), *at))?;
    }
    Ok(Begun::Admitted { retries: standing.retries })
}

fn orphaned(connection: &Connection, one: &Beginning) -> Result<Option<Begun>, BackendError> {
    for ancestor in &one.ancestors {
        let revoked = match super::writes::standing(connection, &one.tenant, *ancestor)?.map(|found| found.state) {
            None => false,
            Some(State::Revoked) => true,
            Some(_) => continue,
        };
        return Ok(Some(Begun::Orphaned { ancestor: *ancestor, revoked }));
    }
    Ok(None)
}
