//! Clients in a storm: they submit through whichever node answers, under the same id until one takes it, and wait for the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use mogbox_core::RequestId;
use serde_json::{Value, json};

use crate::support::{Answer, Api};

/// Clients that work at the same time.
const CLIENTS: usize = 8;

/// The end of what never ends if the code is wrong.
const LONGEST: Duration = Duration::from_secs(600);

const FINAL: [&str; 4] = ["SUCCESS", "FAILURE", "REVOKED", "INVALID"];

/// What is asked for, and what comes of it where nothing goes wrong.
pub(super) struct Wish {
    pub(super) id: String,
    request: Value,
    pub(super) value: u64,
    pub(super) starts: u64,
    pub(super) children: usize,
    /// How long it took from the first call until one was answered with 202.
    pub(super) taken_after: OnceLock<Duration>,
}

impl Wish {
    /// One in ten has children. They go before the others, as a parent that waits for long is killed before it has what it waits for.
    fn of(number: usize) -> Self {
        let id = RequestId::random().to_string();
        let (task, args, priority, value, starts, children) = match number % 10 {
            0 => ("storm.family", json!([2]), 9, 3, 1, 2),
            1..=3 => ("storm.pauses", json!([2]), 5, 2, 3, 0),
            _ => ("storm.work", json!([3, 30]), 5, 3, 1, 0),
        };
        let request = json!({ "id": id, "name": task, "args": args, "priority": priority });
        Self { id, request, value, starts, children, taken_after: OnceLock::new() }
    }
}

pub(super) struct Crowd {
    pub(super) wishes: Vec<Wish>,
    /// Where the nodes are now.
    urls: RwLock<Vec<String>>,
    started: Instant,
    refused: AtomicUsize,
    taken: Mutex<usize>,
    one_more_taken: Condvar,
}

impl Crowd {
    pub(super) fn new(wishes: usize, urls: Vec<String>) -> Self {
        let wishes = (0..wishes).map(Wish::of).collect();
        Self {
            wishes,
            urls: RwLock::new(urls),
            started: Instant::now(),
            refused: AtomicUsize::new(0),
            taken: Mutex::default(),
            one_more_taken: Condvar::new(),
        }
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.wishes.iter().map(|wish| wish.id.as_str()).collect()
    }

    /// A node was started again, at another address.
    pub(super) fn moved(&self, place: usize, url: &str) {
        self.urls.write().unwrap()[place] = url.to_owned();
    }

    /// Calls that were not answered, or answered with a problem.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// How long the slowest submission took.
    pub(super) fn slowest(&self) -> Duration {
        self.wishes.iter().filter_map(|wish| wish.taken_after.get()).max().copied().unwrap_or_default()
    }

    /// Ends when so many requests were taken.
    pub(super) fn await_taken(&self, number: usize) {
        let taken = self.taken.lock().unwrap();
        let waited = self.one_more_taken.wait_timeout_while(taken, LONGEST, |taken| *taken < number).unwrap().1;
        assert!(!waited.timed_out(), "not {number} requests taken after {LONGEST:?}");
    }

    /// Lets the clients work, and strikes each time so much has passed, until all their requests are done. Returns the strikes.
    pub(super) fn storm(&self, every: Duration, mut strike: impl FnMut(usize)) -> usize {
        let (working, all_done) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            for wishes in self.wishes.chunks(self.wishes.len().div_ceil(CLIENTS)) {
                let working = working.clone();
                scope.spawn(move || {
                    wishes.iter().enumerate().for_each(|(number, wish)| self.submit(number, wish));
                    wishes.iter().enumerate().for_each(|(number, wish)| self.wait(number, wish));
                    drop(working);
                });
            }
            drop(working);
            let mut strikes = 0;
            while all_done.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                strike(strikes);
                strikes += 1;
            }
            strikes
        })
    }

    fn submit(&self, number: usize, wish: &Wish) {
        let started = Instant::now();
        self.until(number, |api| api.try_post("/v1/requests", &wish.request).filter(|answer| answer.status == 202));
        wish.taken_after.set(started.elapsed()).unwrap();
        *self.taken.lock().unwrap() += 1;
        self.one_more_taken.notify_all();
    }

    fn wait(&self, number: usize, wish: &Wish) {
        let path = format!("/v1/requests/{}/wait?seconds=10&fields=", wish.id);
        let done = |answer: &Answer| {
            assert_ne!(answer.status, 404, "acknowledged and lost: {}", wish.id);
            answer.status == 200 && FINAL.contains(&answer.body["state"].as_str().unwrap())
        };
        self.until(number, |api| api.try_get(&path).filter(done));
    }

    /// Asks one node after the other until one gives the answer.
    fn until<T>(&self, first: usize, ask: impl Fn(&Api) -> Option<T>) -> T {
        for number in first.. {
            let url = {
                let urls = self.urls.read().unwrap();
                urls[number % urls.len()].clone()
            };
            if let Some(answer) = ask(&Api::new(&url, "default")) {
                return answer;
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
            assert!(self.started.elapsed() < LONGEST, "not done after {LONGEST:?}");
            std::thread::yield_now();
        }
        unreachable!("there are more numbers than time");
    }
}
