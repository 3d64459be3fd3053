//! Notices results that become final and wakes whoever waits for them: by a message that the store publishes, and by a slow look
//! at all that are waited for, since Mognet's own clients revoke without a message. Two tasks a process, however many wait.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use mogbox_core::ids::RequestId;
use mogbox_core::retry::Backoff;
use rand::RngExt as _;
use redis::Script;
use tokio::task::JoinSet;

use super::scripts::script;
use super::{RedisConnection, failure, keys};
use crate::error::BackendError;
use crate::results::{CHUNK, Waiting};

/// Shortest and longest time between two looks, in milliseconds. A random one, so that nodes do not look together.
const LOOK_MS: std::ops::Range<u64> = 500..1_000;

/// A subscription that is silent for this long is asked whether it lives.
const PING_EVERY: Duration = Duration::from_secs(10);

static FINISHED: LazyLock<Script> = script!("results/standing.lua", "results/finished.lua");

/// Starts both tasks; they end when the set is dropped.
pub(super) fn start(connection: &RedisConnection, waiting: &Waiting) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(listen(connection.clone(), waiting.clone()));
    tasks.spawn(look(connection.clone(), waiting.clone()));
    tasks
}

/// Listens to messages, with a new subscription whenever one breaks. What is missed meanwhile is found by the slow look.
async fn listen(connection: RedisConnection, waiting: Waiting) {
    let mut failures = 0;
    loop {
        let started = Instant::now();
        if let Err(error) = subscription(&connection, &waiting).await {
            tracing::debug!(%error, "subscription to finished results broke");
        }
        failures = if started.elapsed() > PING_EVERY { 1 } else { failures + 1 };
        tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
    }
}

async fn subscription(connection: &RedisConnection, waiting: &Waiting) -> Result<(), BackendError> {
    let (mut sink, mut messages) = connection.subscriber().await?.split();
    sink.subscribe(keys::FINISHED_CHANNEL).await.map_err(|error| failure(&error))?;
    loop {
        match tokio::time::timeout(PING_EVERY, messages.next()).await {
            Ok(Some(message)) => told(message.get_payload_bytes(), waiting),
            Ok(None) => return Err(BackendError::Unavailable("the connection ended".to_owned())),
            Err(_) => {
                let answer = tokio::time::timeout(PING_EVERY, sink.ping::<redis::Value>()).await;
                answer.map_err(|_| BackendError::Unavailable("no answer".to_owned()))?.map_err(|error| failure(&error))?;
            }
        }
    }
}

/// Anybody can publish: what is no message of ours is ignored.
fn told(payload: &[u8], waiting: &Waiting) {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    if let Some((tenant, id)) = text.split_once(' ')
        && let (Ok(tenant), Ok(id)) = (tenant.parse(), id.parse::<RequestId>())
    {
        waiting.notify(&(tenant, id));
    }
}

/// Looks at all results that are waited for, again and again, never for more than half of the time.
async fn look(connection: RedisConnection, waiting: Waiting) {
    loop {
        let started = Instant::now();
        for chunk in waiting.listened().chunks(CHUNK) {
            let mut question = FINISHED.prepare_invoke();
            for (tenant, id) in chunk {
                question.key(keys::result(tenant, *id));
            }
            match connection.run::<Vec<usize>>(&question).await {
                Ok(finished) => finished.iter().filter_map(|at| chunk.get(*at)).for_each(|key| waiting.notify(key)),
                Err(error) => tracing::debug!(%error, "cannot look at the results that are waited for"),
            }
        }
        let pause = Duration::from_millis(rand::rng().random_range(LOOK_MS));
        tokio::time::sleep(pause.max(started.elapsed())).await;
    }
}
