//! The start of an attempt, which most store together with their end: nothing that others can see of an attempt comes before it.

use std::sync::Arc;

use super::{ContextError, TaskContext};
use crate::store::{Start, Step, StoreError, Transition, Transitioned};

impl TaskContext {
    /// The start, unless it is known to be stored.
    pub(crate) fn unstored_start(&self) -> Option<Start> {
        (!self.start_stored.initialized()).then(|| self.start.clone())
    }

    /// Stores the start, unless it is known to be stored: once, however many ask for it at the same time.
    ///
    /// # Errors
    /// Where another attempt holds the request, it is done or its result gone, or the store gives no answer that makes sense.
    pub(crate) async fn store_start(&self) -> Result<(), ContextError> {
        let store = || self.step(Transition::Start(self.start.clone()));
        self.start_stored.get_or_try_init(store).await.copied()
    }

    /// A host call that changes something or can be seen outside: once the start is stored, which keeps earlier attempts from it.
    pub(super) async fn write<T, F>(&self, call: impl Fn() -> F) -> Result<T, ContextError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let started_first = async {
            self.store_start().await?;
            self.patiently(call).await
        };
        self.in_time(started_first).await
    }

    /// Takes a step of the result.
    pub(super) async fn step(&self, transition: Transition) -> Result<(), ContextError> {
        let (tenant, id, fence) = (self.lease.tenant.clone(), self.facts.request.id, self.lease.fence);
        let step = Arc::new(Step { tenant, id, fence, start: None, transition });
        match self.patiently(|| self.services.recorder.record(&step)).await? {
            Transitioned::Applied => Ok(()),
            Transitioned::Final(_) | Transitioned::Fenced => Err(self.not_holder()),
            Transitioned::Missing => Err(self.result_gone()),
        }
    }
}
