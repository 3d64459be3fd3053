//! What the brokers share: their settings, the bounds of what they carry, and the loop that waits for work. Knows no backend.

mod receive;
mod settings;

pub use mogbox_core::Share;
pub(crate) use receive::{Claimed, Line, Lull, Message, exchange, receive};
pub use settings::BrokerSettings;

use std::time::Duration;

use mogbox_core::broker::{BrokerError, DeadLetter};
use mogbox_core::ids::QueueName;

/// The most deliveries of one call to a backend; more are taken in several.
pub(crate) const BATCH: usize = 128;

/// Requests that are due are moved to the ready ones in lots of this size, so that no call takes long.
pub(crate) const MOST_PROMOTED: usize = 64;

/// Expired leases are taken back in lots of this size.
pub(crate) const MOST_TAKEN_BACK: usize = 100;

/// Dead letters kept of a tenant and queue; the oldest go first.
pub(crate) const MOST_DEAD: usize = 10_000;

/// Dead letters are kept for as long as results: 21 days.
pub(crate) const DEAD_LIFETIME: Duration = Duration::from_secs(21 * 24 * 3600);

/// Bytes kept of the body of a dead letter.
pub(crate) const LONGEST_DEAD_BODY: usize = 64 * 1024;

/// The most dead letters of one answer: with their bodies they may be 64 MiB.
pub(crate) const MOST_DEAD_READ: usize = 1_000;

/// Bytes of bodies after which a claim hands out no more.
pub(crate) const MOST_CLAIMED_BYTES: usize = 16 * 1024 * 1024;

/// Fairness charges this at a hand-out and corrects it at the settlement. Microseconds.
pub(crate) const ESTIMATED_COST: u64 = 1_000;

/// No attempt is charged less, whatever was measured: a hand-out costs the host something as well. Microseconds.
pub(crate) const LEAST_COST: u64 = 100;

const LONGEST_REASON: usize = 1_024;

/// Longer delays are cut to this: 100 years. Keeps times exact in a double.
const LONGEST_DELAY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A span as the backends count time.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.min(LONGEST_DELAY).as_micros()).unwrap_or(u64::MAX)
}

/// A reason cut to what is kept of it.
pub(crate) fn clip_reason(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(LONGEST_REASON)).unwrap_or(reason)
}

/// A dead letter as it was kept; `at` in microseconds since 1970.
pub(crate) fn dead_letter(queue: QueueName, body: &[u8], reason: String, at: i64) -> Result<DeadLetter, BrokerError> {
    let malformed = |error: jiff::Error| BrokerError::Malformed(format!("dead letter at {at}: {error}"));
    let at = jiff::Timestamp::from_microsecond(at).map_err(malformed)?;
    Ok(DeadLetter { queue, body: String::from_utf8_lossy(body).into_owned(), reason, at })
}

/// The newest of several queues' letters, newest first.
pub(crate) fn newest_first(mut letters: Vec<DeadLetter>, most: usize) -> Vec<DeadLetter> {
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.at));
    letters.truncate(most);
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason = "é".repeat(600);
        assert_eq!(clip_reason(&reason).len(), LONGEST_REASON);
        assert_eq!(clip_reason("short"), "short");
        assert_eq!(clip_reason(&format!("x{reason}")).len(), LONGEST_REASON - 1);
    }

    #[test]
    fn an_endless_delay_stays_exact_in_a_double() {
        let now = 1_800_000_000_000_000;
        assert!(micros(Duration::MAX) + now < 1 << 53);
    }
}
