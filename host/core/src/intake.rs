//! Where new requests go in: a result for each, then its message. Store and broker that are one server do both in one step, so that no
//! result is ever without its message.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::broker::{Broker, Submission};
use crate::store::{ResultStore, StoreError};
use crate::submit::SubmitError;

/// Takes new requests in.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Creates the results of these requests, as of `at`, and queues them. One whose result is final already is not queued again: the
    /// broker has forgotten it, and would hand it out as if it were new. One that is queued or runs is left as it is.
    ///
    /// # Errors
    /// Where store or broker fail. Some may have been taken then; taking all of them in again is safe.
    async fn take_in(&self, submissions: Vec<Submission>, at: Timestamp) -> Result<(), SubmitError>;
}

/// The intake of any store and broker: result first, as Mognet does, and the message once that is there.
pub struct InTurn {
    results: Arc<dyn ResultStore>,
    broker: Arc<dyn Broker>,
}

impl InTurn {
    /// Takes requests in to this store and broker.
    #[must_use]
    pub const fn new(results: Arc<dyn ResultStore>, broker: Arc<dyn Broker>) -> Self {
        Self { results, broker }
    }

    /// Creates a result; whether its request is to be queued.
    async fn create(&self, Submission { tenant, request, .. }: &Submission, at: Timestamp) -> Result<bool, StoreError> {
        if self.results.create(tenant, request, at).await? {
            return Ok(true);
        }
        let found = self.results.read(tenant, &[request.id]).await?;
        Ok(!found.into_iter().flatten().any(|result| result.state.is_final()))
    }
}

#[async_trait]
impl Intake for InTurn {
    async fn take_in(&self, mut submissions: Vec<Submission>, at: Timestamp) -> Result<(), SubmitError> {
        let open = futures::future::try_join_all(submissions.iter().map(|one| self.create(one, at))).await?;
        let mut open = open.into_iter();
        submissions.retain(|_| open.next().unwrap_or(true));
        if !submissions.is_empty() {
            self.broker.submit(&submissions).await?;
        }
        Ok(())
    }
}
