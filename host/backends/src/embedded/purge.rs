//! Removes what has lived its time, a bounded piece now and then between calls. A database that nobody calls does not grow.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::columns::now;

/// The shortest time between two pieces.
const EVERY: Duration = Duration::from_secs(1);

/// The most rows of each table in one piece.
const MOST_ROWS: u32 = 500;

/// Tables whose rows expire. Metadata goes with its result, entries of a state with the state.
const STATEMENTS: [&str; 6] = [
    "DELETE FROM metadata WHERE (tenant, id) IN (SELECT tenant, id FROM results WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    "DELETE FROM results WHERE (tenant, id) IN (SELECT tenant, id FROM results WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    "DELETE FROM children WHERE rowid IN (SELECT rowid FROM children WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    "DELETE FROM state_entries WHERE (tenant, id) IN (SELECT tenant, id FROM states WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    "DELETE FROM states WHERE (tenant, id) IN (SELECT tenant, id FROM states WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
];

/// When the last piece was removed.
#[derive(Default)]
pub(super) struct Purge {
    last: Option<Instant>,
}

impl Purge {
    /// Removes a piece if it is time.
    pub(super) fn when_due(&mut self, connection: &Connection) {
        if self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last = Some(Instant::now());
            if let Err(error) = expired(connection, now()) {
                tracing::warn!(%error, "cannot remove what has expired; it is not read, and the next try is soon");
            }
        }
    }
}

fn expired(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for statement in STATEMENTS {
        transaction.prepare_cached(statement)?.execute((now, MOST_ROWS))?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_lived_its_time_goes_and_the_rest_stays() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(crate::embedded::results::SCHEMA).unwrap();
        connection.execute_batch(crate::embedded::state::SCHEMA).unwrap();
        for (id, expires) in [(1, 10), (2, 11)] {
            connection.execute("INSERT INTO results (tenant, id, state, expires) VALUES ('t', ?1, 'PENDING', ?2)", [id, expires]).unwrap();
            connection.execute("INSERT INTO metadata VALUES ('t', ?1, 'k', '1')", [id]).unwrap();
            connection.execute("INSERT INTO kept VALUES ('t', ?1, 'value', x'00', NULL, ?2)", [id, expires]).unwrap();
            connection.execute("INSERT INTO children VALUES ('t', ?1, x'00', ?2)", [id, expires]).unwrap();
            connection.execute("INSERT INTO states VALUES ('t', ?1, ?2)", [id, expires]).unwrap();
            connection.execute("INSERT INTO state_entries VALUES ('t', ?1, 'k', '1')", [id]).unwrap();
        }
        expired(&connection, 10).unwrap();
        for table in ["results", "metadata", "kept", "states", "state_entries"] {
            let left: Vec<i64> = connection
                .prepare(&format!("SELECT id FROM {table}"))
                .unwrap()
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(left, [2], "{table}");
        }
        assert_eq!(connection.query_row("SELECT parent FROM children", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    }
}
