//! Writing results. Within the transaction of a call nothing else runs, so reading first and writing then is one step.

use jiff::Timestamp;
use mogbox_core::entries::Entries;
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::request::Request;
use mogbox_core::result::{RequestResult, State};
use mogbox_core::store::{Start, Step, Transition, Transitioned, Waits};
use mogbox_core::wire::value::StoredValue;
use rusqlite::Connection;

use super::reads::state;
use crate::embedded::columns::{RESULT_TTL, VALUE_TTL, expiry, now};
use crate::error::BackendError;
use crate::results::{Standing, pending, revoked};

/// A step of one result, with what it stores packed before the transaction.
pub(super) struct Prepared {
    pub(super) tenant: Tenant,
    pub(super) id: RequestId,
    fence: u32,
    start: Option<Start>,
    change: Change,
}

enum Change {
    /// No more than the start.
    Start,
    Suspend {
        retry: bool,
    },
    Resume {
        node_id: String,
    },
    Finish(Ending),
}

/// How a result becomes final.
pub(super) struct Ending {
    pub(super) state: State,
    pub(super) at: Timestamp,
    pub(super) value: StoredValue,
    pub(super) report: Option<String>,
    pub(super) waits: Waits,
    pub(super) kept_state: bool,
}

impl Prepared {
    pub(super) fn of(step: &Step) -> Result<Self, BackendError> {
        let change = match &step.transition {
            Transition::Start(_) => Change::Start,
            Transition::Suspend => Change::Suspend { retry: false },
            Transition::Retry => Change::Suspend { retry: true },
            Transition::Resume { node_id } => Change::Resume { node_id: node_id.to_string() },
            Transition::Finish { state, value, at, report, waits, kept_state } => {
                let report = report.as_ref().map(serde_json::to_string).transpose();
                let report = report.map_err(|error| BackendError::Malformed(error.to_string()))?;
                let value = StoredValue::pack(value);
                Change::Finish(Ending { state: *state, at: *at, value, report, waits: *waits, kept_state: *kept_state })
            }
        };
        Ok(Self { tenant: step.tenant.clone(), id: step.id, fence: step.fence, start: step.started().cloned(), change })
    }

    /// Whether it makes the result final.
    pub(super) fn ends(&self) -> bool {
        matches!(self.change, Change::Finish(_))
    }

    /// Whether a result that stands so has taken this step already. Its answer was lost then; it counts once.
    fn is_taken(&self, standing: &Standing) -> bool {
        let state = match self.change {
            Change::Start => return true,
            Change::Resume { .. } => State::Running,
            Change::Suspend { .. } => State::Suspended,
            Change::Finish(_) => return false,
        };
        standing.attempt == self.fence && standing.state == state
    }
}

/// A result that is to be, with what is stored beside it.
pub(in crate::embedded) struct New {
    tenant: Tenant,
    result: RequestResult,
    queue: String,
    metadata: Entries,
}

impl New {
    pub(in crate::embedded) fn of(tenant: &Tenant, request: &Request, at: Timestamp) -> Self {
        let queue = request.queue_name.clone().unwrap_or_else(|| QueueName::default().into());
        Self { tenant: tenant.clone(), result: pending(request, at), queue, metadata: request.metadata.clone() }
    }

    /// Stores it, unless there is one; the state of that.
    pub(super) fn create(&self, connection: &Connection) -> Result<Option<State>, BackendError> {
        let Self { tenant, result, queue, metadata } = self;
        if let Some(parent) = result.parent_id {
            let sql = "INSERT OR REPLACE INTO children (tenant, parent, child, expires) VALUES (?1, ?2, ?3, ?4)";
            let row = (tenant.as_str(), parent.as_bytes(), result.id.as_bytes(), expiry(RESULT_TTL));
            connection.prepare_cached(sql)?.execute(row)?;
        }
        if let Some(standing) = standing(connection, tenant, result.id)? {
            return Ok(Some(standing.state));
        }
        insert(connection, tenant, result, Some(queue))?;
        super::metadata::store(connection, tenant, result.id, metadata)?;
        Ok(None)
    }

    /// The same; whether it is open.
    pub(in crate::embedded) fn create_unless_final(&self, connection: &Connection) -> Result<bool, BackendError> {
        Ok(!self.create(connection)?.is_some_and(State::is_final))
    }
}

/// Stores a result in the place of one that has expired, or none.
fn insert(connection: &Connection, tenant: &Tenant, result: &RequestResult, queue: Option<&str>) -> Result<(), BackendError> {
    let key = (tenant.as_str(), result.id.as_bytes());
    connection.prepare_cached("DELETE FROM metadata WHERE tenant = ?1 AND id = ?2")?.execute(key)?;
    let sql = "INSERT OR REPLACE INTO results (tenant, id, name, state, stops, parent, created, finished, kwargs_repr, expires,
        queue) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    connection.prepare_cached(sql)?.execute((
        tenant.as_str(),
        result.id.as_bytes(),
        &result.name,
        result.state.as_str(),
        result.number_of_stops,
        result.parent_id.as_ref().map(RequestId::as_bytes),
        result.created.map(Timestamp::as_microsecond),
        result.finished.map(Timestamp::as_microsecond),
        &result.request_kwargs_repr,
        expiry(RESULT_TTL),
        queue,
    ))?;
    Ok(())
}

pub(super) fn standing(connection: &Connection, tenant: &Tenant, id: RequestId) -> Result<Option<Standing>, BackendError> {
    let sql = "SELECT state, attempt, starts, stops, retries FROM results WHERE tenant = ?1 AND id = ?2 AND expires > ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((tenant.as_str(), id.as_bytes(), now()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let state = state(&row.get::<_, String>(0)?)?;
    Ok(Some(Standing { state, attempt: row.get(1)?, starts: row.get(2)?, stops: row.get(3)?, retries: row.get(4)? }))
}

pub(super) fn transition(connection: &Connection, step: &Prepared) -> Result<Transitioned, BackendError> {
    let Some(mut standing) = standing(connection, &step.tenant, step.id)? else { return Ok(Transitioned::Missing) };
    if standing.state.is_final() {
        return Ok(Transitioned::Final(standing.state));
    }
    if step.fence < standing.attempt {
        return Ok(Transitioned::Fenced);
    }
    if let Some(begins) = step.start.as_ref().filter(|_| step.fence > standing.attempt) {
        start(connection, step, begins)?;
        (standing.state, standing.attempt) = (State::Running, step.fence);
    }
    if !step.is_taken(&standing) {
        take(connection, step)?;
    }
    Ok(Transitioned::Applied)
}

fn take(connection: &Connection, Prepared { tenant, id, change, .. }: &Prepared) -> Result<(), BackendError> {
    let (tenant_name, key, expires) = (tenant.as_str(), id.as_bytes(), expiry(RESULT_TTL));
    match change {
        Change::Start => {}
        Change::Resume { node_id } => {
            let sql = "UPDATE results SET state = 'RUNNING', starts = starts + 1, expires = ?3, node_id = ?4 WHERE tenant = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute((tenant_name, key, expires, node_id))?;
        }
        Change::Suspend { retry } => {
            let sql = "UPDATE results SET state = 'SUSPENDED', stops = stops + 1, expires = ?3, retries = retries + ?4
                WHERE tenant = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute((tenant_name, key, expires, retry))?;
        }
        Change::Finish(ending) => {
            conclude(connection, tenant, *id, ending)?;
            if ending.kept_state {
                crate::embedded::state::clear(connection, tenant, *id)?;
            }
        }
    }
    Ok(())
}

/// An attempt runs.
fn start(
    connection: &Connection,
    Prepared { tenant, id, fence, .. }: &Prepared,
    Start { node_id, at }: &Start,
) -> Result<(), BackendError> {
    let sql = "UPDATE results SET state = 'RUNNING', starts = starts + 1, expires = ?3, node_id = ?4, started = ?5, attempt = ?6
        WHERE tenant = ?1 AND id = ?2";
    let row = (tenant.as_str(), id.as_bytes(), expiry(RESULT_TTL), node_id.as_str(), at.as_microsecond(), fence);
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn conclude(connection: &Connection, tenant: &Tenant, id: RequestId, ending: &Ending) -> Result<(), BackendError> {
    let sql = "UPDATE results SET state = ?3, finished = ?4, attempt = 0, retries = 0, expires = ?5,
        stops = max(stops + 1 - ?6, 0), starts = max(starts - ?7, 0) WHERE tenant = ?1 AND id = ?2";
    let Waits { suspended, resumed } = ending.waits;
    let (state, at) = (ending.state.as_str(), ending.at.as_microsecond());
    connection.prepare_cached(sql)?.execute((tenant.as_str(), id.as_bytes(), state, at, expiry(RESULT_TTL), suspended, resumed))?;
    keep_value(connection, tenant, id, &ending.value)?;
    match &ending.report {
        Some(report) => keep(connection, tenant, id, "report", report.as_bytes(), None),
        None => Ok(()),
    }
}

fn keep_value(connection: &Connection, tenant: &Tenant, id: RequestId, value: &StoredValue) -> Result<(), BackendError> {
    keep(connection, tenant, id, "value", &value.contents, Some(value.encoding))
}

fn keep(
    connection: &Connection,
    tenant: &Tenant,
    id: RequestId,
    what: &str,
    contents: &[u8],
    encoding: Option<&str>,
) -> Result<(), BackendError> {
    let sql = "INSERT OR REPLACE INTO kept (tenant, id, what, contents, encoding, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = (tenant.as_str(), id.as_bytes(), what, contents, encoding, expiry(VALUE_TTL));
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn revoke(connection: &Connection, tenant: &Tenant, id: RequestId, ending: &Ending) -> Result<Option<State>, BackendError> {
    match standing(connection, tenant, id)?.map(|standing| standing.state) {
        None => {
            insert(connection, tenant, &revoked(id, ending.at), None)?;
            keep_value(connection, tenant, id, &ending.value)?;
            Ok(None)
        }
        Some(last) if last.is_final() => Ok(Some(last)),
        Some(before) => {
            conclude(connection, tenant, id, ending)?;
            Ok(Some(before))
        }
    }
}
