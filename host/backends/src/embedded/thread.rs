//! The thread that owns the SQLite connection: takes calls from a bounded channel and commits those that wait together.

use std::fs::File;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::purge::Purge;
use crate::error::BackendError;

/// Calls that may wait; further callers wait before the channel.
const QUEUE: usize = 1_024;

/// The most calls of one transaction: bounds how long the first of them waits for the last.
const MOST_TOGETHER: usize = 128;

/// Work for the thread, answered only after its transaction is committed.
pub(super) trait Job: Send {
    /// Does the work and keeps its answer.
    fn run(&mut self, connection: &Connection);

    /// Sends the answer, or the reason why nothing was stored.
    fn answer(self: Box<Self>, committed: Result<(), BackendError>);
}

/// One call: its work, and what follows once that is committed.
pub(super) struct Call<F, T, N> {
    work: Option<F>,
    then: N,
    result: Result<T, BackendError>,
    answer: oneshot::Sender<Result<T, BackendError>>,
}

impl<F, T, N> Call<F, T, N> {
    pub(super) fn new(work: F, then: N, answer: oneshot::Sender<Result<T, BackendError>>) -> Self {
        Self { work: Some(work), then, result: Err(gone()), answer }
    }
}

impl<F, T, N> Job for Call<F, T, N>
where
    F: FnOnce(&Connection) -> Result<T, BackendError> + Send,
    N: FnOnce(&T) + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) {
        if let Some(work) = self.work.take() {
            self.result = apart(connection, work);
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), BackendError>) {
        let result = committed.and(self.result);
        if let Ok(done) = &result {
            (self.then)(done);
        }
        // Nobody may be waiting any more; what was done stays done.
        let _ = self.answer.send(result);
    }
}

/// Does work so that its failure undoes nothing but itself.
fn apart<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T, BackendError>) -> Result<T, BackendError> {
    connection.prepare_cached("SAVEPOINT call")?.execute([])?;
    let result = work(connection);
    if result.is_err() {
        connection.prepare_cached("ROLLBACK TO call")?.execute([])?;
    }
    connection.prepare_cached("RELEASE call")?.execute([])?;
    result
}

/// Starts the thread, hands work to it, and waits for its end when dropped.
pub(super) struct DatabaseThread {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl DatabaseThread {
    /// Starts it. The lock is held for as long as the connection is open.
    pub(super) fn start(connection: Connection, lock: File) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let serve = move || {
            serve(&connection, queue);
            drop(connection);
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("mogbox-database".to_owned()).spawn(serve)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands over a job, waiting for a place in the queue.
    pub(super) async fn send(&self, job: Box<dyn Job>) -> Result<(), BackendError> {
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).await.map_err(|_| gone())
    }
}

impl Drop for DatabaseThread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // It has nothing to say; its end frees the folder.
            let _ = thread.join();
        }
    }
}

/// The error of a call that the thread cannot take any more.
pub(super) fn gone() -> BackendError {
    BackendError::Unavailable("the database is closed".to_owned())
}

fn serve(connection: &Connection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut together = Vec::with_capacity(MOST_TOGETHER);
    let mut purge = Purge::default();
    while queue.blocking_recv_many(&mut together, MOST_TOGETHER) > 0 {
        let committed = transaction(connection, &mut together);
        together.drain(..).for_each(|job| job.answer(committed.clone()));
        purge.when_due(connection);
    }
}

fn transaction(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), BackendError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    for job in jobs {
        job.run(connection);
    }
    let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    if !connection.is_autocommit() {
        // A commit that failed, for want of space say, leaves the transaction open.
        connection.execute_batch("ROLLBACK")?;
    }
    Ok(committed.map(drop)?)
}
