//! Notices results that become final and wakes whoever waits for them: by a message that the store publishes, and by a slow look
//! at all that are waited for, since Mognet's own clients revoke without a message. Two tasks a process, however many wait.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::retry::Backoff;
use rand::RngExt as _;
use redis::Script;
use redis::aio::PubSubSink;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::scripts::script;
use super::{RedisConnection, failure, keys};
use crate::error::BackendError;
use crate::results::{CHUNK, Waiting};

/// Shortest and longest time between two looks, in milliseconds. A random one, so that nodes do not look together.
const LOOK_MS: std::ops::Range<u64> = 500..1_000;

/// Channels that nobody wants any more are left together, once there are as many: leaving each at once would delay what comes next.
const MOST_UNWANTED: usize = 64;

/// A subscription that is silent for this long is asked whether it lives.
const PING_EVERY: Duration = Duration::from_secs(10);

static FINISHED: LazyLock<Script> = script!("numbers.lua", "results/standing.lua", "results/finished.lua");

type Key = (Tenant, RequestId);

/// Tells of results that become final.
pub(super) struct Watch {
    asks: mpsc::UnboundedSender<Ask>,
    _tasks: JoinSet<()>,
}

/// Results that are listened to; no longer when dropped.
pub(super) struct Heard {
    asks: mpsc::UnboundedSender<Ask>,
    keys: Vec<Key>,
}

enum Ask {
    Listen(Vec<Key>, oneshot::Sender<()>),
    Leave(Vec<Key>),
}

impl Watch {
    /// Starts both tasks; they end when it is dropped.
    pub(super) fn start(connection: &RedisConnection, waiting: &Waiting) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(connection.clone(), waiting.clone(), Ears { asked, wanted: HashMap::new() }));
        tasks.spawn(look(connection.clone(), waiting.clone()));
        Self { asks, _tasks: tasks }
    }

    /// Listens to these results; returns once no message is missed any more, or the store does not answer: then the slow look
    /// finds what is missed.
    pub(super) async fn listen(&self, keys: Vec<Key>) -> Heard {
        let (ready, listening) = oneshot::channel();
        // An error says that the tasks are gone, as the process ends.
        let _ = self.asks.send(Ask::Listen(keys.clone(), ready));
        let heard = Heard { asks: self.asks.clone(), keys };
        let _ = listening.await;
        heard
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let _ = self.asks.send(Ask::Leave(std::mem::take(&mut self.keys)));
    }
}

/// What the process wants to hear of: how many listen to each result.
struct Ears {
    asked: mpsc::UnboundedReceiver<Ask>,
    wanted: HashMap<Key, usize>,
}

impl Ears {
    /// Takes in what is asked, and returns who is to be told once that is done; none when nobody can ask any more.
    async fn hear(&mut self) -> Option<Vec<oneshot::Sender<()>>> {
        let mut asks = Vec::new();
        if self.asked.recv_many(&mut asks, CHUNK).await == 0 {
            return None;
        }
        Some(asks.into_iter().filter_map(|ask| self.take_in(ask)).collect())
    }

    fn take_in(&mut self, ask: Ask) -> Option<oneshot::Sender<()>> {
        match ask {
            Ask::Listen(keys, ready) => {
                keys.into_iter().for_each(|key| *self.wanted.entry(key).or_default() += 1);
                Some(ready)
            }
            Ask::Leave(keys) => {
                for key in keys {
                    if let Some(listeners) = self.wanted.get_mut(&key) {
                        *listeners -= 1;
                        if *listeners == 0 {
                            self.wanted.remove(&key);
                        }
                    }
                }
                None
            }
        }
    }

    /// Takes in what is asked and tells at once, until `work` is done; none when nobody can ask any more.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                ready = self.hear() => tell(ready?),
            }
        }
    }
}

fn tell(ready: Vec<oneshot::Sender<()>>) {
    for one in ready {
        // Nobody waits for it any more where the wait was given up.
        let _ = one.send(());
    }
}

/// Listens to messages, with a new subscription whenever one breaks. What is missed meanwhile is found by the slow look.
async fn listen(connection: RedisConnection, waiting: Waiting, mut ears: Ears) {
    let mut failures = 0;
    loop {
        let started = Instant::now();
        match subscription(&connection, &waiting, &mut ears).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "subscription to finished results broke"),
        }
        failures = if started.elapsed() > PING_EVERY { 1 } else { failures + 1 };
        if ears.meanwhile(tokio::time::sleep(Backoff::CALLS.wait(failures))).await.is_none() {
            return;
        }
    }
}

/// One connection's life. Ends well when nobody can ask any more.
async fn subscription(connection: &RedisConnection, waiting: &Waiting, ears: &mut Ears) -> Result<(), BackendError> {
    let Some(connected) = ears.meanwhile(connection.subscriber()).await else { return Ok(()) };
    let (mut sink, mut messages) = connected?.split();
    let mut subscribed = HashSet::new();
    subscribe(&mut sink, &mut subscribed, &ears.wanted).await?;
    loop {
        tokio::select! {
            ready = ears.hear() => {
                let Some(ready) = ready else { return Ok(()) };
                if !ready.is_empty() {
                    subscribe(&mut sink, &mut subscribed, &ears.wanted).await?;
                }
                tell(ready);
                if subscribed.len() >= ears.wanted.len() + MOST_UNWANTED {
                    unsubscribe(&mut sink, &mut subscribed, &ears.wanted).await?;
                }
            }
            message = tokio::time::timeout(PING_EVERY, messages.next()) => match message {
                Ok(Some(message)) => told(message.get_channel_name(), waiting),
                Ok(None) => return Err(BackendError::Unavailable("the connection ended".to_owned())),
                Err(_) => answered(sink.ping::<redis::Value>()).await.map(drop)?,
            }
        }
    }
}

/// Subscribes to all that is wanted.
async fn subscribe(sink: &mut PubSubSink, subscribed: &mut HashSet<Key>, wanted: &HashMap<Key, usize>) -> Result<(), BackendError> {
    let more: Vec<Key> = wanted.keys().filter(|key| !subscribed.contains(*key)).cloned().collect();
    for chunk in more.chunks(CHUNK) {
        answered(sink.subscribe(channels(chunk))).await?;
    }
    subscribed.extend(more);
    Ok(())
}

/// Leaves the channels that are not wanted.
async fn unsubscribe(sink: &mut PubSubSink, subscribed: &mut HashSet<Key>, wanted: &HashMap<Key, usize>) -> Result<(), BackendError> {
    let fewer: Vec<Key> = subscribed.iter().filter(|key| !wanted.contains_key(*key)).cloned().collect();
    for chunk in fewer.chunks(CHUNK) {
        answered(sink.unsubscribe(channels(chunk))).await?;
    }
    subscribed.retain(|key| wanted.contains_key(key));
    Ok(())
}

fn channels(of: &[Key]) -> Vec<String> {
    of.iter().map(|(tenant, id)| keys::finished_channel(tenant, *id)).collect()
}

async fn answered<T>(call: impl Future<Output = redis::RedisResult<T>>) -> Result<T, BackendError> {
    let answer = tokio::time::timeout(PING_EVERY, call).await;
    answer.map_err(|_| BackendError::Unavailable("no answer".to_owned()))?.map_err(|error| failure(&error))
}

/// Anybody can publish: what is no channel of ours is ignored.
fn told(channel: &str, waiting: &Waiting) {
    if let Some(key) = keys::of_finished_channel(channel) {
        waiting.notify(&key);
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
