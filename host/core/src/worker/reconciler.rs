//! Ends requests that nobody can run any more: their results are open, but no broker has a message for them. Whoever submitted one
//! died between result and message, or its message was no request. Several nodes may do this at the same time.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;

use crate::broker::{Broker, BrokerError};
use crate::ids::{QueueName, RequestId, Tenant};
use crate::result::{Exception, State, Value};
use crate::store::{OpenResult, ResultStore, StoreError, Transition, Transitioned, Waits};

/// Most results of one round.
const BATCH: usize = 256;

/// The longest time between two rounds; a random part of its second half is left out, so that nodes do not look together.
const EVERY: Duration = Duration::from_secs(10);

/// Looks round by round until it is aborted.
pub(super) async fn watch(results: Arc<dyn ResultStore>, broker: Arc<dyn Broker>, lost_after: Duration) {
    let mut reconciler = Reconciler { results, broker, lost_after, seen: Timestamp::UNIX_EPOCH, suspects: Vec::new() };
    let every = EVERY.min(lost_after / 4).max(Duration::from_millis(10));
    loop {
        let pause = rand::rng().random_range(every / 2..=every);
        tokio::time::sleep(pause).await;
        if let Err(error) = reconciler.round().await {
            tracing::warn!(%error, "cannot look for requests that are lost");
            // What was suspected in an outage is looked at twice again.
            reconciler.suspects.clear();
        }
    }
}

struct Reconciler {
    results: Arc<dyn ResultStore>,
    broker: Arc<dyn Broker>,
    lost_after: Duration,
    /// Results created until then were looked at.
    seen: Timestamp,
    /// Results that had no message in the last round.
    suspects: Vec<OpenResult>,
}

#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl Reconciler {
    /// Ends what has no message a second time, and looks at the next results.
    async fn round(&mut self) -> Result<(), ReconcileError> {
        let suspects = std::mem::take(&mut self.suspects);
        for lost in self.without_message(suspects).await? {
            self.end(&lost).await?;
        }
        let batch = self.next_batch().await?;
        self.suspects = self.without_message(batch).await?;
        Ok(())
    }

    /// The next results that are old enough, from the oldest again once all were looked at.
    async fn next_batch(&mut self) -> Result<Vec<OpenResult>, StoreError> {
        let grace = SignedDuration::try_from(self.lost_after).unwrap_or(SignedDuration::MAX);
        let until = Timestamp::now().checked_sub(grace).unwrap_or(Timestamp::UNIX_EPOCH);
        let batch = self.results.open(self.seen, until, BATCH).await?;
        self.seen = batch.last().map_or(Timestamp::UNIX_EPOCH, |last| last.created);
        Ok(batch)
    }

    async fn without_message(&self, results: Vec<OpenResult>) -> Result<Vec<OpenResult>, BrokerError> {
        if results.is_empty() {
            return Ok(results);
        }
        let requests: Vec<(Tenant, QueueName, RequestId)> =
            results.iter().map(|result| (result.tenant.clone(), result.queue.clone(), result.id)).collect();
        let known = self.broker.knows(&requests).await?;
        Ok(results.into_iter().zip(known).filter(|(_, known)| !known).map(|(result, _)| result).collect())
    }

    /// Ends a result as the attempt that was the last one: any that started meanwhile beats it.
    async fn end(&self, lost: &OpenResult) -> Result<(), StoreError> {
        let value = Value::Exception(Exception::Failed { kind: "Lost".to_owned(), message: explain(lost), traceback: String::new() });
        let step = Transition::Finish {
            state: State::Failure,
            value,
            at: Timestamp::now(),
            report: None,
            waits: Waits::default(),
            kept_state: true,
        };
        match self.results.transition(&lost.tenant, lost.id, lost.attempt, &step).await {
            Ok(Transitioned::Applied) => tracing::warn!(tenant = %lost.tenant, request = %lost.id, state = %lost.state, "ended as lost"),
            Ok(_) => {}
            // One that others spoilt must not hide the rest.
            Err(StoreError::Malformed(error)) => tracing::warn!(request = %lost.id, error, "a request is lost and cannot be ended"),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What happened, as far as one can tell, and what to do.
fn explain(lost: &OpenResult) -> String {
    let queue = &lost.queue;
    match lost.state {
        State::Pending => format!(
            "queue {queue} has no message for it: whoever submitted it ended before it was queued, or its message was malformed and is \
             among the dead letters; it did not run: submit it again, under another id"
        ),
        _ => format!(
            "queue {queue} has no message for it any more, though attempt {} had started: the message was lost or removed; what it did \
             so far is not undone: submit it again, under another id",
            lost.attempt
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_told_with_what_happened_and_what_to_do() {
        let mut lost = OpenResult {
            tenant: Tenant::default(),
            queue: QueueName::default(),
            id: RequestId::random(),
            state: State::Pending,
            attempt: 0,
            created: Timestamp::UNIX_EPOCH,
        };
        assert!(explain(&lost).starts_with("queue tasks has no message for it: whoever submitted it ended"), "{}", explain(&lost));
        (lost.state, lost.attempt) = (State::Suspended, 3);
        assert!(explain(&lost).contains("attempt 3 had started") && explain(&lost).ends_with("submit it again, under another id"));
    }
}
