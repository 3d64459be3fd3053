//! The threads that are kept for guests: each gives turns to those in line, one after the other.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::line::{Because, Line};
use super::task::{How, Task, Turn};

/// The threads of a process.
#[derive(Debug)]
pub(super) struct Threads {
    most: usize,
    inner: Mutex<Inner>,
    some_wait: Condvar,
}

#[derive(Debug)]
struct Inner {
    line: Line<Entry>,
    started: usize,
    idle: usize,
    closed: bool,
}

/// A place in the line, which its guest may have left for one further ahead.
#[derive(Debug)]
struct Entry {
    task: Arc<Task>,
    number: u64,
}

impl Threads {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let inner = Inner { line: Line::new(), started: 0, idle: 0, closed: false };
        Arc::new(Self { most: most.max(1), inner: Mutex::new(inner), some_wait: Condvar::new() })
    }

    /// Something happened to a guest.
    pub(super) fn wake(self: &Arc<Self>, task: &Arc<Task>) {
        let mut inner = self.inner();
        let how = task.stands().how;
        match how {
            How::Away => inner.enter(task, Because::Ready),
            How::InLine => inner.enter_urgently(task),
            How::Polled(_) => {
                task.stands().how = How::Polled(true);
                return;
            }
        }
        self.call_a_thread(&mut inner);
    }

    fn call_a_thread(self: &Arc<Self>, inner: &mut Inner) {
        if inner.idle > 0 {
            self.some_wait.notify_one();
        } else if inner.started < self.most {
            let threads = Arc::clone(self);
            let started = std::thread::Builder::new().name("mogbox-guests".to_owned()).spawn(move || threads.give_turns());
            match started {
                Ok(_) => inner.started += 1,
                // Those that run go on, and whoever comes next tries again.
                Err(error) => tracing::error!(%error, "no further thread for guests"),
            }
        }
    }

    fn give_turns(self: Arc<Self>) {
        let mut inner = self.inner();
        loop {
            if inner.closed {
                return;
            }
            let Some(Entry { task, .. }) = inner.next() else {
                inner.idle += 1;
                if inner.idle == inner.started {
                    inner.line.rest();
                }
                inner = self.some_wait.wait(inner).unwrap_or_else(PoisonError::into_inner);
                inner.idle -= 1;
                continue;
            };
            // Whoever called this thread may have meant several.
            if inner.line.any_wait() {
                self.call_a_thread(&mut inner);
            }
            drop(inner);
            let turn = task.poll();
            inner = self.inner();
            inner.after(&task, &turn);
        }
    }

    /// Lets the threads end after the turns that are being taken.
    pub(super) fn close(&self) {
        self.inner().closed = true;
        self.some_wait.notify_all();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics between the parts of a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn enter(&mut self, task: &Arc<Task>, because: Because) {
        let mut stands = task.stands();
        stands.entry += 1;
        stands.how = How::InLine;
        let entry = Entry { task: Arc::clone(task), number: stands.entry };
        stands.stint = self.line.enter(&task.tenant, task.weight, because, entry);
    }

    fn enter_urgently(&mut self, task: &Arc<Task>) {
        let mut stands = task.stands();
        stands.entry += 1;
        self.line.enter_urgently(Entry { task: Arc::clone(task), number: stands.entry });
    }

    /// The next guest, which has a turn from now on.
    fn next(&mut self) -> Option<Entry> {
        loop {
            let entry = self.line.call()?;
            let mut stands = entry.task.stands();
            if stands.how == How::InLine && stands.entry == entry.number {
                stands.how = How::Polled(false);
                drop(stands);
                return Some(entry);
            }
        }
    }

    fn after(&mut self, task: &Arc<Task>, Turn { took, ended }: &Turn) {
        self.line.charge(&task.tenant, *took);
        let stands = *task.stands();
        if stands.how == How::Polled(true) && !ended {
            self.enter(task, stands.because(*took));
        } else {
            let mut stands = task.stands();
            (stands.how, stands.stint) = (How::Away, Duration::ZERO);
        }
    }
}
