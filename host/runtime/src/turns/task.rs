//! A guest's work on the threads that are kept for guests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use mogbox_core::Tenant;
use tokio::runtime::Handle;

use super::line::Because;
use super::threads::Threads;
use super::{COMPUTES, Pace, Whose};

/// One guest's work.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) tenant: Tenant,
    pub(super) weight: u32,
    pace: Arc<Pace>,
    threads: Weak<Threads>,
    /// Where timers and tasks of the host functions are, that the guest calls.
    runtime: Handle,
    work: Mutex<Work>,
    given_up: AtomicBool,
    /// Written only while the line is locked.
    pub(super) stands: Mutex<Stands>,
}

/// None once it ended.
struct Work(Option<BoxFuture<'static, ()>>);

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "under way" } else { "ended" })
    }
}

/// How a guest stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stands {
    pub(super) how: How,
    /// For how long it computed since it was first of its tenant to do so.
    pub(super) stint: Duration,
    /// Grows each time that it enters the line, so that a place which it left is told apart.
    pub(super) entry: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It waits for something else than a turn.
    Away,
    InLine,
    /// It has a turn; whether it was woken since that began.
    Polled(bool),
}

/// What a turn came to.
pub(super) struct Turn {
    pub(super) took: Duration,
    pub(super) ended: bool,
}

impl Task {
    /// Puts work in line.
    pub(super) fn start(threads: &Arc<Threads>, whose: &Whose<'_>, work: BoxFuture<'static, ()>) -> Arc<Self> {
        let task = Arc::new(Self {
            tenant: whose.tenant.clone(),
            weight: whose.weight,
            pace: Arc::clone(whose.pace),
            threads: Arc::downgrade(threads),
            runtime: Handle::current(),
            work: Mutex::new(Work(Some(work))),
            given_up: AtomicBool::new(false),
            stands: Mutex::new(Stands { how: How::Away, stint: Duration::ZERO, entry: 0 }),
        });
        threads.wake(&task);
        task
    }

    /// Polls the work once. A panic ends it, and no more.
    pub(super) fn poll(self: &Arc<Self>) -> Turn {
        let began = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| self.poll_work())).unwrap_or_else(|_| {
            tracing::error!(tenant = %self.tenant, "the host panicked in the work of a guest");
            self.drop_work();
            true
        });
        let took = began.elapsed();
        self.pace.note(took);
        if self.given_up.load(Ordering::SeqCst) {
            self.drop_work();
            return Turn { took, ended: true };
        }
        Turn { took, ended }
    }

    fn poll_work(self: &Arc<Self>) -> bool {
        let _runtime = self.runtime.enter();
        let waker = Waker::from(Arc::clone(self));
        let mut work = self.work();
        let polled = work.0.as_mut().map_or(Poll::Ready(()), |work| work.as_mut().poll(&mut Context::from_waker(&waker)));
        if polled.is_ready() {
            work.0 = None;
        }
        polled.is_ready()
    }

    /// Nobody waits for it any more. Where it has a turn, it is dropped after that.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        if let Ok(mut work) = self.work.try_lock() {
            drop(work.0.take());
        }
    }

    fn drop_work(&self) {
        let work = self.work().0.take();
        // What it holds may panic once more.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _runtime = self.runtime.enter();
            drop(work);
        }));
    }

    pub(super) fn stands(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // A panic leaves work behind that is dropped next.
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(threads) = self.threads.upgrade() {
            threads.wake(self);
        }
    }
}

impl Stands {
    /// Why a guest that was woken during its turn waits for the next: one whose turn was long computes.
    pub(super) fn because(&self, took: Duration) -> Because {
        if took >= COMPUTES { Because::Computes(self.stint + took) } else { Because::Ready }
    }
}
