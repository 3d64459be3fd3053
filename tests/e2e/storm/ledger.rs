//! What a storm left on Redis, read without any node: results by id, the broker's keys, and the outcomes that were told.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use redis::{Commands as _, Connection};
use serde_json::Value;

use super::crowd::{Crowd, Wish};

const LONGEST: Duration = Duration::from_secs(120);

pub(super) struct Ledger {
    url: String,
    connection: Connection,
}

impl Ledger {
    pub(super) fn of(url: &str) -> Self {
        let connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        Self { url: url.to_owned(), connection }
    }

    /// Nothing is open, nothing is queued, nothing lives for ever, and every wish came true.
    pub(super) fn check(&mut self, crowd: &Crowd, what: &str, strikes: usize) {
        self.await_rest();
        let immortal: Vec<String> = self.keys("*").into_iter().filter(|key| !key.contains("mogbox.module")).collect();
        let immortal: Vec<String> = immortal.into_iter().filter(|key| self.connection.ttl::<_, i64>(key).unwrap() < 0).collect();
        assert!(immortal.is_empty(), "these keys never go: {immortal:?}");
        let lost = self.results().iter().filter(|(_, state, _)| state == "\"FAILURE\"").count();
        let (mut again, mut orphans) = (0, 0);
        for wish in &crowd.wishes {
            let (starts, children) = self.came_true(wish);
            again += starts - wish.starts;
            orphans += children - wish.children;
        }
        let line = format!(
            "storm: {} requests, slowest submission: {:.1?}, {what}: {strikes}, run again: {again}, children submitted again: {orphans}, ended \
             as lost: {lost}, calls refused: {}\n",
            crowd.wishes.len(),
            crowd.slowest(),
            crowd.refused()
        );
        // Written past the harness, which would keep it to itself.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        assert!(strikes > 0, "the storm was over before it began");
    }

    /// Starts and children of a request that must have succeeded.
    fn came_true(&mut self, wish: &Wish) -> (u64, usize) {
        let key = format!("default.mognet.result.{}", wish.id);
        let result: HashMap<String, String> = self.connection.hgetall(&key).unwrap();
        let (state, starts) = (&result["state"], result["number_of_starts"].parse().unwrap());
        let (contents, encoding): (Vec<u8>, String) = self.connection.hmget(format!("{key}/value"), &["contents", "encoding"]).unwrap();
        let value = || String::from_utf8_lossy(&contents).into_owned();
        assert_eq!(
            (state.as_str(), encoding.as_str()),
            ("\"SUCCESS\"", "null"),
            "{}: {result:?} {}, taken after {:?}",
            wish.id,
            value(),
            wish.taken_after
        );
        let value: Value = serde_json::from_slice(&contents).unwrap();
        assert_eq!(value["raw_value"], wish.value, "{}: {value}", wish.id);
        (starts, self.connection.scard(format!("{key}/children")).unwrap())
    }

    /// What a dead parent submitted may end after it: run, or ended as lost where the parent's node died before the broker had its
    /// message. A delivery is settled a moment after its result.
    fn await_rest(&mut self) {
        let started = Instant::now();
        loop {
            let open = ["\"PENDING\"", "\"RUNNING\"", "\"SUSPENDED\""];
            let open: Vec<_> = self.results().into_iter().filter(|(_, state, _)| open.contains(&state.as_str())).collect();
            let queued = self.keys("mogbox:*");
            if queued.is_empty() && open.is_empty() {
                return;
            }
            assert!(started.elapsed() < LONGEST, "still there after {LONGEST:?}: {queued:?} {open:?}");
            std::thread::yield_now();
        }
    }

    /// All results, children included: key, state and starts.
    fn results(&mut self) -> Vec<(String, String, u32)> {
        let results: Vec<String> = self.keys("*.mognet.result.*").into_iter().filter(|key| !key.contains('/')).collect();
        let mut fields = redis::pipe();
        for key in &results {
            fields.hmget(key, &["state", "number_of_starts"]);
        }
        let fields: Vec<(String, u32)> = fields.query(&mut self.connection).unwrap();
        results.into_iter().zip(fields).map(|(key, (state, starts))| (key, state, starts)).collect()
    }

    fn keys(&mut self, pattern: &str) -> Vec<String> {
        self.connection.keys(pattern).unwrap()
    }

    /// Listens to the outcomes that are told from now on.
    pub(super) fn listen(&self) -> Outcomes {
        let (told, outcomes) = mpsc::channel();
        let mut connection = redis::Client::open(self.url.as_str()).unwrap().get_connection().unwrap();
        let (ready, listening) = mpsc::channel();
        std::thread::spawn(move || {
            let mut messages = connection.as_pubsub();
            messages.psubscribe("*.mogbox.finished.*").unwrap();
            ready.send(()).unwrap();
            // Ends with the server, or with the test.
            while let Ok(message) = messages.get_message() {
                if told.send(message.get_channel_name().to_owned()).is_err() {
                    return;
                }
            }
        });
        listening.recv().unwrap();
        Outcomes { outcomes, told: Vec::new() }
    }
}

/// The channels on which a result was told to be final, one for each request.
pub(super) struct Outcomes {
    outcomes: mpsc::Receiver<String>,
    told: Vec<String>,
}

impl Outcomes {
    /// Waits for so many more outcomes, or for so long.
    pub(super) fn await_more(&mut self, number: usize, longest: Duration) {
        let (started, wanted) = (Instant::now(), self.told.len() + number);
        while self.told.len() < wanted
            && let Ok(channel) = self.outcomes.recv_timeout(longest.saturating_sub(started.elapsed()))
        {
            self.told.push(channel);
        }
    }

    /// Each of these requests became final once.
    pub(super) fn are_one_each(mut self, ids: &[&str]) {
        let mut counts: HashMap<&str, usize> = ids.iter().map(|id| (*id, 0)).collect();
        // All results are final by now: what was told of them is here, or about to come.
        self.await_more(usize::MAX - self.told.len(), Duration::from_secs(1));
        for channel in &self.told {
            if let Some(count) = channel.rsplit('.').next().and_then(|id| counts.get_mut(id)) {
                *count += 1;
            }
        }
        counts.retain(|_, count| *count != 1);
        assert!(counts.is_empty(), "none or several outcomes: {counts:?}");
    }
}
