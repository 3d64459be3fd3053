//! The embedded database: one SQLite file that one node owns, reached through one thread. Calls that wait at the same time share
//! a transaction, so that one write to the disk serves them all. Knows nothing of what is stored but the schema's version.

mod bounds;
pub mod broker;
mod columns;
mod intake;
mod modules;
mod purge;
mod results;
mod state;
mod tenants;
mod thread;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{BackendError, OpenError};
use crate::results::Waiting;
use crate::topics::Topics;
use thread::{Call, DatabaseThread};

pub use intake::EmbeddedIntake;
pub use modules::EmbeddedModules;
pub use results::EmbeddedResults;
pub use state::EmbeddedState;
pub use tenants::EmbeddedTenants;

/// Grows with each change of a table that an older node could not read.
const SCHEMA_VERSION: i64 = 3;

/// What a file of each version lacks that the next one has, from version 1 on.
const UPDATES: [&str; 2] =
    ["ALTER TABLE broker_requests ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;", "ALTER TABLE results ADD COLUMN queue TEXT;"];

/// A call waits this long for a lock of SQLite's; only a person's tool can hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Every write is on the disk before it is answered (FULL), even if the power fails: what a client was told is queued must not be
/// lost. Calls that wait share a transaction, so the cost is one write to the disk for many calls. Foreign keys stay off: every
/// table stands alone and is purged by its own times.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;";

/// The database of a node. A clone is the same one; it closes with the last of them.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    thread: DatabaseThread,
    results: Waiting,
    broker: Topics<String>,
}

impl Database {
    /// Opens the file `mogbox.db` in a folder, which is created where there is none. What an earlier process was handed out and did not
    /// settle is handed out again at once, as if its leases had run out: the lock on the folder proves that it is gone.
    ///
    /// # Errors
    /// Where another node uses the folder, the file cannot be opened, or a newer Mogbox wrote it.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let lock = lock(folder)?;
        let failed = |error: rusqlite::Error| {
            let way_out = "check that the disk is not full and that the node may write there";
            open_error(folder, error.to_string(), way_out)
        };
        let connection = Connection::open(folder.join("mogbox.db")).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        check_version(&connection, folder)?;
        let ended = broker::end_leases(&connection).map_err(failed)?;
        if ended > 0 {
            tracing::info!(requests = ended, "the node before this one did not settle what it held: it is handed out again");
        }
        let thread = DatabaseThread::start(connection, lock).map_err(|error| open_error(folder, error.to_string(), "free some memory"))?;
        Ok(Self(Arc::new(Inner { thread, results: Waiting::default(), broker: Topics::default() })))
    }

    /// Runs work in a transaction and returns its answer once that is committed. Where it fails, nothing of it is stored. Work
    /// must be short, as everybody waits for it; it goes on when the caller stops waiting.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.call_then(work, |_| ()).await
    }

    /// As [`Self::call`], with something short that follows the commit even where the caller waits no more: a notification, say.
    pub(crate) async fn call_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, BackendError> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, BackendError> {
        let (answer, answered) = oneshot::channel();
        self.0.thread.send(Box::new(Call::new(work, then, answer))).await?;
        answered.await.map_err(|_| thread::gone())?
    }

    /// Whether a write reaches the disk: writes the schema's version, which it has already.
    pub(crate) async fn probe(&self) -> Result<(), BackendError> {
        self.call(|connection| Ok(connection.pragma_update(None, "user_version", SCHEMA_VERSION)?)).await
    }

    /// Results that somebody in this process waits for.
    pub(crate) fn results(&self) -> &Waiting {
        &self.0.results
    }

    /// What a broker in this process waits for; its names are the broker's.
    pub(crate) fn broker_topics(&self) -> &Topics<String> {
        &self.0.broker
    }
}

/// A failed statement, in the words of the ports.
impl From<rusqlite::Error> for BackendError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::Utf8Error(..) | E::InvalidColumnType(..) => {
                Self::Malformed(error.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Takes the folder for this process; the system frees it when the process ends, however that happens.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let failed = |error: std::io::Error| open_error(folder, error.to_string(), "give a folder that the node may write to");
    std::fs::create_dir_all(folder).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("mogbox.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let why = format!("the data folder {} is in use by another node", folder.display());
            Err(open_error(folder, why, "stop that node, or give this one a folder of its own"))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.execute_batch(SETTINGS)
}

fn check_version(connection: &Connection, folder: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| open_error(folder, error.to_string(), "restore mogbox.db from a backup, or give another folder");
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > SCHEMA_VERSION {
        let why = format!("a newer version of Mogbox wrote it (schema {found}, this one knows {SCHEMA_VERSION})");
        return Err(open_error(folder, why, "run that version"));
    }
    // A new file has version 0 and lacks nothing.
    let applied = usize::try_from(found).ok().and_then(|found| found.checked_sub(1)).unwrap_or(UPDATES.len());
    for update in UPDATES.iter().skip(applied) {
        connection.execute_batch(update).map_err(failed)?;
    }
    for schema in [results::SCHEMA, state::SCHEMA, modules::SCHEMA, tenants::SCHEMA, broker::SCHEMA] {
        connection.execute_batch(schema).map_err(failed)?;
    }
    connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)
}

fn open_error(folder: &Path, why: String, way_out: &str) -> OpenError {
    OpenError { what: format!("the database in {}", folder.display()), why, way_out: way_out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_until_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let first = Database::open(folder.path()).unwrap();
        let error = Database::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains(&format!("the data folder {} is in use by another node", folder.path().display())), "{error}");
        drop(first);
        Database::open(folder.path()).unwrap();
    }

    #[test]
    fn a_file_of_the_version_before_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let old = Connection::open(folder.path().join("mogbox.db")).unwrap();
        let tables = "CREATE TABLE broker_requests (queue, tenant, id, state, at, priority, sequence);
            CREATE TABLE results (tenant, id, state, created, expires); PRAGMA user_version = 1;";
        old.execute_batch(tables).unwrap();
        drop(old);
        drop(Database::open(folder.path()).unwrap());
        let new = Connection::open(folder.path().join("mogbox.db")).unwrap();
        new.prepare("SELECT waiting FROM broker_requests").unwrap();
        new.prepare("SELECT queue FROM results").unwrap();
        assert_eq!(new.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), SCHEMA_VERSION);
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        Connection::open(folder.path().join("mogbox.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = Database::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("schema 99, this one knows 3"), "{error}");
    }

    #[tokio::test]
    async fn a_call_that_fails_undoes_its_own_work_only() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        database.call(|c| Ok(c.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)")?)).await.unwrap();
        let insert = |n: i64, then: Result<(), BackendError>| {
            database.call(move |c| {
                c.execute("INSERT INTO t VALUES (?1)", [n])?;
                then
            })
        };
        let bad = BackendError::Malformed("bad".to_owned());
        let answers = tokio::join!(insert(1, Ok(())), insert(2, Err(bad.clone())), insert(3, Ok(())), insert(1, Ok(())));
        assert_eq!((answers.0, answers.1, answers.2), (Ok(()), Err(bad), Ok(())));
        assert!(matches!(answers.3, Err(BackendError::Unavailable(_))));
        let sum: i64 = database.call(|c| Ok(c.query_row("SELECT sum(n) FROM t", [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(sum, 4);
    }
}
