//! Results that are not final, oldest first. What others wrote there is passed over: it must not hide the rest.

use std::sync::LazyLock;

use jiff::Timestamp;
use mogbox_core::ids::QueueName;
use mogbox_core::store::OpenResult;
use redis::Script;

use super::writes::read_state;
use crate::error::BackendError;
use crate::redis::scripts::script;
use crate::redis::{RedisConnection, keys};

static OPEN: LazyLock<Script> = script!("../numbers.lua", "standing.lua", "open.lua");

/// State, attempt and queue.
type Standing = (String, String, String);

pub(super) async fn open(
    connection: &RedisConnection,
    after: Timestamp,
    until: Timestamp,
    most: usize,
) -> Result<Vec<OpenResult>, BackendError> {
    let mut question = redis::cmd("ZRANGE");
    question.arg(keys::OPEN).arg(format!("({}", after.as_microsecond())).arg(until.as_microsecond());
    question.arg("BYSCORE").arg("LIMIT").arg(0).arg(most).arg("WITHSCORES");
    let members: Vec<(String, f64)> = connection.query(&question).await?;
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let mut call = OPEN.prepare_invoke();
    for (key, _) in &members {
        call.key(key);
    }
    let standings: Vec<Option<Standing>> = connection.run(&call).await?;
    Ok(members.iter().zip(standings).filter_map(|((key, created), standing)| read(key, *created, standing?)).collect())
}

fn read(key: &str, created: f64, (state, attempt, queue): Standing) -> Option<OpenResult> {
    let (tenant, id) = keys::of_result(key)?;
    let queue = if queue.is_empty() { QueueName::default() } else { serde_json::from_str(&queue).ok()? };
    #[expect(clippy::cast_possible_truncation, reason = "microseconds are exact in a double for another 200 years")]
    let created = Timestamp::from_microsecond(created as i64).ok()?;
    Some(OpenResult { tenant, queue, id, state: read_state(&state).ok()?, attempt: attempt.parse().ok()?, created })
}
