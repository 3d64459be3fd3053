//! Writing results: each write is one script that looks at the present state and changes it in one step.

use std::sync::LazyLock;

use jiff::Timestamp;
use mogbox_core::entries::Entries;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::request::Request;
use mogbox_core::result::{Exception, State, Value};
use mogbox_core::store::{Transition, Transitioned, Written};
use mogbox_core::wire::result::{quoted, quoted_timestamp, result_fields};
use mogbox_core::wire::value::StoredValue;
use redis::{Script, ScriptInvocation};

use crate::error::BackendError;
use crate::redis::scripts::script;
use crate::redis::{RedisConnection, keys};
use crate::results::{pending, revoked};

static CREATE: LazyLock<Script> = script!("create.lua");
static TRANSITION: LazyLock<Script> = script!("standing.lua", "transition.lua");
static REVOKE: LazyLock<Script> = script!("standing.lua", "revoke.lua");
static SET_METADATA: LazyLock<Script> = script!("standing.lua", "../bounds.lua", "set_metadata.lua");

pub(super) async fn create(connection: &RedisConnection, tenant: &Tenant, request: &Request, at: Timestamp) -> Result<bool, BackendError> {
    let id = request.id;
    let mut call = CREATE.key(keys::result(tenant, id));
    // A request without parent has no children's set to be in; the script does not touch the key then.
    call.key(keys::metadata(tenant, id)).key(keys::children(tenant, request.parent().unwrap_or(id)));
    let child: &[u8] = if request.parent().is_some() { id.as_bytes() } else { &[] };
    let fields = result_fields(&pending(request, at));
    call.arg(keys::RESULT_TTL).arg(child).arg(fields.len());
    pairs(&mut call, fields.iter().map(|(name, value)| (*name, value.as_str())));
    pairs(&mut call, request.metadata.iter().map(|(key, value)| (key, value.as_str())));
    connection.run(&call).await
}

pub(super) async fn transition(
    connection: &RedisConnection,
    tenant: &Tenant,
    id: RequestId,
    fence: u32,
    step: &Transition,
) -> Result<Transitioned, BackendError> {
    let mut call = TRANSITION.key(keys::result(tenant, id));
    call.key(keys::value(tenant, id)).key(keys::report(tenant, id));
    call.arg(name(step)).arg(fence).arg(keys::RESULT_TTL).arg(keys::VALUE_TTL).arg(keys::REPORT_TTL);
    match step {
        Transition::Start { node_id, at } => {
            call.arg(quoted(node_id.as_str())).arg(quoted_timestamp(*at));
        }
        Transition::Resume { node_id } => {
            call.arg(quoted(node_id.as_str()));
        }
        Transition::Suspend | Transition::Retry => {}
        Transition::Finish { state, value, at, report, waits } => {
            let report = report.as_ref().map(serde_json::to_string).transpose();
            let report = report.map_err(|error| BackendError::Malformed(error.to_string()))?.unwrap_or_default();
            call.arg("").arg(quoted_timestamp(*at)).arg(quoted(state.as_str()));
            conclusion(&mut call, tenant, id, value);
            call.arg(report).arg(waits.suspended).arg(waits.resumed);
        }
    }
    let answer: String = connection.run(&call).await?;
    match answer.as_str() {
        "APPLIED" => Ok(Transitioned::Applied),
        "FENCED" => Ok(Transitioned::Fenced),
        "MISSING" => Ok(Transitioned::Missing),
        state => read_state(state).map(Transitioned::Final),
    }
}

const fn name(step: &Transition) -> &'static str {
    match step {
        Transition::Start { .. } => "start",
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
    entries: &Entries,
    limits: &Limits,
) -> Result<Written, BackendError> {
    let mut call = SET_METADATA.key(keys::result(tenant, id));
    call.key(keys::metadata(tenant, id)).arg(fence.map(|fence| fence.to_string()).unwrap_or_default());
    call.arg(limits.get(Bound::MetadataKeys)).arg(limits.get(Bound::Metadata)).arg(keys::RESULT_TTL);
    pairs(&mut call, entries.iter().map(|(key, value)| (key, value.as_str())));
    let answer: String = connection.run(&call).await?;
    match answer.as_str() {
        "STORED" => Ok(Written::Stored),
        "KEYS" => Ok(Written::OverBound(Bound::MetadataKeys)),
        "BYTES" => Ok(Written::OverBound(Bound::Metadata)),
        "FENCED" => Ok(Written::Fenced),
        _ => Ok(Written::Missing),
    }
}

/// What a script needs to make a result final: its value's fields, the channel and the message.
fn conclusion(call: &mut ScriptInvocation<'_>, tenant: &Tenant, id: RequestId, value: &Value) {
    let packed = StoredValue::pack(value);
    call.arg(packed.contents).arg(packed.encoding).arg(packed.content_type);
    call.arg(keys::FINISHED_CHANNEL).arg(format!("{tenant} {id}"));
}

fn pairs<'a>(call: &mut ScriptInvocation<'_>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (key, value) in pairs {
        call.arg(key).arg(value);
    }
}

/// A state as it stands in the hash, with its quotes.
fn read_state(text: &str) -> Result<State, BackendError> {
    serde_json::from_str(text)
        .map_err(|_| BackendError::Malformed(format!("unknown state {:?}", text.chars().take(40).collect::<String>())))
}
