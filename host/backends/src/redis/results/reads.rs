//! Reading results and what lies beside them. Others write there too: everything is bounded before it is fetched.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mogbox_core::entries::{Entries, check_key};
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::json::Json;
use mogbox_core::limits::Bound;
use mogbox_core::report::Report;
use mogbox_core::result::{RequestResult, Value};
use mogbox_core::wire::result::read_result;
use mogbox_core::wire::value::{MAX_STORED, StoredValue};
use redis::Script;

use crate::error::BackendError;
use crate::redis::scripts::script;
use crate::redis::{RedisConnection, keys};
use crate::results::{CHUNK, MAX_CHILDREN};

static READ: LazyLock<Script> = script!("read.lua");
static VALUE: LazyLock<Script> = script!("value.lua");
static METADATA: LazyLock<Script> = script!("../entries/bounds.lua", "metadata.lua");
static METADATA_ENTRY: LazyLock<Script> = script!("metadata_entry.lua");

/// Fields in the order in which the script answers.
const FIELDS: [&str; 12] = [
    "id",
    "name",
    "state",
    "number_of_starts",
    "number_of_stops",
    "parent_id",
    "created",
    "started",
    "finished",
    "node_id",
    "retries",
    "request_kwargs_repr",
];

/// Bytes of all fields of a result but the arguments' text, and of that text.
const MAX_RESULT: usize = 64 << 10;

/// Bytes of a report: the longest log there is, escaped, and room for the rest.
const MAX_REPORT: usize = 128 << 20;

/// Members of a set that one question asks for.
const MEMBERS: usize = 1_000;

type Fields = Vec<Option<String>>;

pub(super) async fn results(
    connection: &RedisConnection,
    tenant: &Tenant,
    ids: &[RequestId],
) -> Result<Vec<Option<RequestResult>>, BackendError> {
    let mut results = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let mut question = READ.arg(MAX_RESULT);
        for id in chunk {
            question.key(keys::result(tenant, *id));
        }
        let answers: Vec<Option<Fields>> = connection.run(&question).await?;
        for answer in answers {
            results.push(answer.map(result).transpose()?);
        }
    }
    Ok(results)
}

fn result(fields: Fields) -> Result<RequestResult, BackendError> {
    let named = FIELDS.iter().zip(fields).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
    read_result(named).map_err(malformed)
}

pub(super) async fn value(connection: &RedisConnection, tenant: &Tenant, id: RequestId) -> Result<Option<Value>, BackendError> {
    let mut question = VALUE.key(keys::value(tenant, id));
    let found: Option<(Vec<u8>, String)> = connection.run(question.arg(MAX_STORED)).await?;
    found.map(|(contents, encoding)| StoredValue::unpack(&contents, &encoding, MAX_STORED).map_err(malformed)).transpose()
}

pub(super) async fn report(connection: &RedisConnection, tenant: &Tenant, id: RequestId) -> Result<Option<Report>, BackendError> {
    let key = keys::report(tenant, id);
    let text: Vec<u8> = connection.query(redis::cmd("GETRANGE").arg(&key).arg(0).arg(MAX_REPORT)).await?;
    match text.len() {
        0 => Ok(None),
        size if size > MAX_REPORT => Err(BackendError::Malformed(format!("report {key} has more than {MAX_REPORT} bytes"))),
        _ => serde_json::from_slice(&text).map(Some).map_err(malformed),
    }
}

pub(super) async fn metadata(connection: &RedisConnection, tenant: &Tenant, id: RequestId) -> Result<Option<Entries>, BackendError> {
    let mut question = METADATA.key(keys::result(tenant, id));
    question.key(keys::metadata(tenant, id)).arg(Bound::MetadataKeys.maximum()).arg(Bound::Metadata.maximum());
    let found: Option<Vec<(Vec<u8>, Vec<u8>)>> = connection.run(&question).await?;
    Ok(found.map(|entries| entries.into_iter().filter_map(entry).collect::<Entries>().sorted()))
}

pub(super) async fn metadata_entry(
    connection: &RedisConnection,
    tenant: &Tenant,
    id: RequestId,
    key: &str,
) -> Result<Option<Option<Json>>, BackendError> {
    let mut question = METADATA_ENTRY.key(keys::result(tenant, id));
    question.key(keys::metadata(tenant, id)).arg(key).arg(Bound::Metadata.maximum());
    let found: Option<[Option<Vec<u8>>; 1]> = connection.run(&question).await?;
    Ok(found.map(|[value]| value.and_then(|value| entry((key.as_bytes().to_vec(), value))).map(|(_, json)| json)))
}

/// An entry, none where another program wrote something that is no JSON: the others are still worth reading.
fn entry((key, value): (Vec<u8>, Vec<u8>)) -> Option<(String, Json)> {
    let (key, value) = (String::from_utf8(key).ok()?, String::from_utf8(value).ok()?);
    check_key(&key).ok()?;
    let json = Json::parse(&value, value.len()).ok()?;
    Some((key, json))
}

pub(super) async fn children(connection: &RedisConnection, tenant: &Tenant, id: RequestId) -> Result<Vec<RequestId>, BackendError> {
    let key = keys::children(tenant, id);
    let (mut children, mut cursor) = (BTreeSet::new(), 0_u64);
    loop {
        let question = redis::cmd("SSCAN").arg(&key).arg(cursor).arg("COUNT").arg(MEMBERS).to_owned();
        let (next, members): (u64, Vec<Vec<u8>>) = connection.query(&question).await?;
        children.extend(members.iter().filter_map(|member| RequestId::from_slice(member)));
        if children.len() > MAX_CHILDREN {
            return Err(BackendError::Malformed(format!("{key} has more than {MAX_CHILDREN} members")));
        }
        if next == 0 {
            return Ok(children.into_iter().collect());
        }
        cursor = next;
    }
}

fn malformed(error: impl std::fmt::Display) -> BackendError {
    BackendError::Malformed(error.to_string())
}
