//! Writing results: each write is one script that looks at the present state and changes it in one step.

use std::sync::LazyLock;

use jiff::Timestamp;
use mogbox_core::entries::Entries;
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::request::Request;
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{Step, StoreError, Transition, Transitioned, Written};
use mogbox_core::wire::result::{quoted, quoted_timestamp, result_fields};
use mogbox_core::wire::value::StoredValue;
use redis::{Script, ScriptInvocation};

use crate::error::BackendError;
use crate::redis::entries::{self, Hash};
use crate::redis::scripts::script;
use crate::redis::{RedisConnection, keys};
use crate::results::{CHUNK, pending, revoked};

static CREATE: LazyLock<Script> = script!("../numbers.lua", "standing.lua", "create.lua", "create_one.lua");
static TRANSITION: LazyLock<Script> = script!("../numbers.lua", "standing.lua", "transition.lua");
static REVOKE: LazyLock<Script> = script!("../numbers.lua", "standing.lua", "revoke.lua");

pub(super) async fn create(connection: &RedisConnection, tenant: &Tenant, request: &Request, at: Timestamp) -> Result<bool, BackendError> {
    let mut call = CREATE.arg(keys::RESULT_TTL);
    add_new(&mut call, tenant, request, at);
    connection.run(&call).await
}

/// Adds what `create` of `create.lua` takes of one result.
pub(in crate::redis) fn add_new(call: &mut ScriptInvocation<'_>, tenant: &Tenant, request: &Request, at: Timestamp) {
    let id = request.id;
    // A request without parent has no children's set to be in; the script does not touch the key then.
    call.key(keys::result(tenant, id)).key(keys::metadata(tenant, id)).key(keys::children(tenant, request.parent().unwrap_or(id)));
    let child: &[u8] = if request.parent().is_some() { id.as_bytes() } else { &[] };
    let fields = result_fields(&pending(request, at));
    // JSON text, as every field: Mognet's client reads all of them.
    let named = request.queue_name.as_deref().filter(|name| *name != QueueName::default().as_str());
    let queue = named.map(quoted).unwrap_or_default();
    call.arg(child).arg(at.as_microsecond()).arg(queue).arg(2 * fields.len()).arg(2 * request.metadata.len());
    pairs(call, fields.iter().map(|(name, value)| (*name, value.as_str())));
    pairs(call, request.metadata.iter().map(|(key, value)| (key, value.as_str())));
}

/// Takes steps; answers in their order.
pub(super) async fn transitions(
    connection: &RedisConnection,
    steps: &[&Step],
) -> Result<Vec<Result<Transitioned, StoreError>>, BackendError> {
    let mut answers = Vec::with_capacity(steps.len());
    for chunk in steps.chunks(CHUNK) {
        let mut call = TRANSITION.arg(keys::RESULT_TTL);
        call.arg(keys::VALUE_TTL).arg(keys::REPORT_TTL);
        for step in chunk {
            add_step(&mut call, step)?;
        }
        let found: Vec<String> = connection.run(&call).await?;
        answers.extend(found.iter().map(|answer| transitioned(answer)));
    }
    Ok(answers)
}

/// A key and four arguments, and more of both for a finish.
fn add_step(call: &mut ScriptInvocation<'_>, step: &Step) -> Result<(), BackendError> {
    let (Step { tenant, id, fence, transition, .. }, started) = (step, step.started());
    let node_id = match transition {
        Transition::Resume { node_id } => Some(node_id),
        _ => started.map(|start| &start.node_id),
    };
    call.key(keys::result(tenant, *id)).arg(name(transition)).arg(fence);
    call.arg(node_id.map(|node_id| quoted(node_id.as_str())).unwrap_or_default());
    call.arg(started.map(|start| quoted_timestamp(start.at)).unwrap_or_default());
    if let Transition::Finish { state, value, at, report, waits, kept_state } = transition {
        call.key(keys::value(tenant, *id)).key(keys::report(tenant, *id));
        if *kept_state {
            call.key(keys::state(tenant, *id));
        }
        let report = report.as_ref().map(serde_json::to_string).transpose();
        let report = report.map_err(|error| BackendError::Malformed(error.to_string()))?.unwrap_or_default();
        call.arg(quoted_timestamp(*at)).arg(quoted(state.as_str()));
        conclusion(call, tenant, *id, value);
        call.arg(report).arg(waits.suspended).arg(waits.resumed).arg(u8::from(*kept_state));
    }
    Ok(())
}

fn transitioned(answer: &str) -> Result<Transitioned, StoreError> {
    let (what, detail) = answer.split_once(' ').unwrap_or((answer, ""));
    match what {
        "APPLIED" => Ok(Transitioned::Applied),
        "FENCED" => Ok(Transitioned::Fenced),
        "MISSING" => Ok(Transitioned::Missing),
        "FINAL" => Ok(Transitioned::Final(read_state(detail)?)),
        _ => Err(StoreError::Malformed(detail.to_owned())),
    }
}

const fn name(step: &Transition) -> &'static str {
    match step {
        Transition::Start(_) => "start",
        Transition::Resume { .. } => "resume",
        Transition::Suspend => "suspend",
        Transition::Retry => "retry",
        Transition::Finish { .. } => "finish",
    }
}

pub(super) async fn revoke(
    connection: &RedisConnection,
    tenant: &Tenant,
    id: RequestId,
    at: Timestamp,
) -> Result<Option<State>, BackendError> {
    let mut call = REVOKE.key(keys::result(tenant, id));
    call.key(keys::value(tenant, id)).arg(keys::RESULT_TTL).arg(keys::VALUE_TTL).arg(quoted_timestamp(at));
    conclusion(&mut call, tenant, id, &Value::Exception(Exception::NotReady));
    let unknown = result_fields(&revoked(id, at));
    pairs(&mut call, unknown.iter().map(|(name, value)| (*name, value.as_str())));
    let before: Option<String> = connection.run(&call).await?;
    before.as_deref().map(read_state).transpose()
}

pub(super) async fn set_metadata(
    connection: &RedisConnection,
    tenant: &Tenant,
    id: RequestId,
    fence: Option<u32>,
    metadata: &Entries,
    limits: &Limits,
) -> Result<Written, BackendError> {
    let (key, ttl) = (keys::metadata(tenant, id), keys::RESULT_TTL);
    let hash = Hash { key, ttl, keys: Bound::MetadataKeys, bytes: Bound::Metadata, limits };
    entries::set(connection, (tenant, id), fence, &hash, metadata.iter().map(|(key, value)| (key, value.as_str()))).await
}

/// What a script needs to make a result final: its value's fields, and the channel of whoever waits.
fn conclusion(call: &mut ScriptInvocation<'_>, tenant: &Tenant, id: RequestId, value: &Value) {
    let packed = StoredValue::pack(value);
    call.arg(packed.contents).arg(packed.encoding).arg(packed.content_type);
    call.arg(keys::finished_channel(tenant, id));
}

fn pairs<'a>(call: &mut ScriptInvocation<'_>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (key, value) in pairs {
        call.arg(key).arg(value);
    }
}

/// A state as it stands in the hash, with its quotes.
pub(super) fn read_state(text: &str) -> Result<State, BackendError> {
    serde_json::from_str(text)
        .map_err(|_| BackendError::Malformed(format!("unknown state {:?}", text.chars().take(40).collect::<String>())))
}
