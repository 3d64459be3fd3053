//! Host calls of an attempt that runs in a cell: each becomes a message to the node, whose answer is waited for. Checks nothing, as the
//! node checks everything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mogbox_core::context::{ChildOutcome, NewChild};
use mogbox_core::outgoing::{FetchError, OutgoingRequest, OutgoingResponse};
use mogbox_core::store::WaitMode;
use mogbox_core::{ContextError, Entries, Facts, HostCalls, Json, RequestId};
use tokio::sync::oneshot;

use super::{Cell, lock};
use crate::link::{Answer, Call, FromCell};

type Answered = Result<Answer, ContextError>;

/// One attempt, as its cell sees it.
pub(super) struct Remote {
    number: u64,
    facts: Facts,
    cell: Arc<Cell>,
    /// One call at a time: a guest whose HTTP requests are under way may make others.
    turn: tokio::sync::Mutex<()>,
    /// Where the answer goes that the call waits for.
    waiting: Mutex<Option<oneshot::Sender<Answered>>>,
}

impl Remote {
    pub(super) fn new(number: u64, facts: Facts, cell: Arc<Cell>) -> Self {
        Self { number, facts, cell, turn: tokio::sync::Mutex::default(), waiting: Mutex::default() }
    }

    /// The node's answer is there.
    pub(super) fn answered(&self, answer: Answered) {
        if let Some(waiting) = lock(&self.waiting).take() {
            // A guest that was ended meanwhile waits no more.
            waiting.send(answer).ok();
        }
    }

    async fn call(&self, call: Call) -> Answered {
        let _turn = self.turn.lock().await;
        let (waiting, answer) = oneshot::channel();
        *lock(&self.waiting) = Some(waiting);
        if !self.cell.say(&FromCell::Call { number: self.number, call }) {
            return Err(ContextError::TooLarge("more than one call may bring to the host".into()));
        }
        answer.await.unwrap_or_else(|_| Err(unavailable()))
    }

    async fn done(&self, call: Call) -> Result<(), ContextError> {
        match self.call(call).await? {
            Answer::Done => Ok(()),
            _ => Err(unavailable()),
        }
    }

    async fn found(&self, call: Call) -> Result<Option<Json>, ContextError> {
        match self.call(call).await? {
            Answer::Found(found) => Ok(found.into_iter().next()),
            _ => Err(unavailable()),
        }
    }
}

/// The node and its cells are one program: this does not happen.
fn unavailable() -> ContextError {
    ContextError::Unavailable("the node gave no answer to this call".into())
}

#[async_trait]
impl HostCalls for Remote {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    async fn metadata(&self, key: &str) -> Result<Option<Json>, ContextError> {
        self.found(Call::Metadata { key: key.to_owned() }).await
    }

    async fn all_metadata(&self) -> Result<Entries, ContextError> {
        match self.call(Call::AllMetadata).await? {
            Answer::Entries(pairs) => Ok(pairs.into_iter().collect()),
            _ => Err(unavailable()),
        }
    }

    async fn set_metadata(&self, entries: &Entries) -> Result<(), ContextError> {
        self.done(Call::SetMetadata { entries: entries.clone().into_iter().collect() }).await
    }

    async fn state(&self, key: &str) -> Result<Option<Json>, ContextError> {
        self.found(Call::State { key: key.to_owned() }).await
    }

    async fn set_state(&self, key: &str, value: &Json) -> Result<(), ContextError> {
        self.done(Call::SetState { key: key.to_owned(), value: value.clone() }).await
    }

    async fn pop_state(&self, key: &str) -> Result<Option<Json>, ContextError> {
        self.found(Call::PopState { key: key.to_owned() }).await
    }

    async fn clear_state(&self) -> Result<(), ContextError> {
        self.done(Call::ClearState).await
    }

    async fn submit(&self, child: NewChild) -> Result<RequestId, ContextError> {
        match self.call(Call::Submit(Box::new(child.into()))).await? {
            Answer::Submitted(id) => Ok(id),
            _ => Err(unavailable()),
        }
    }

    async fn wait(&self, ids: &[RequestId], mode: WaitMode, timeout: Option<Duration>) -> Result<Vec<ChildOutcome>, ContextError> {
        match self.call(Call::Wait { ids: ids.to_vec(), mode, timeout }).await? {
            Answer::Children(outcomes) => Ok(outcomes),
            _ => Err(unavailable()),
        }
    }

    async fn fetch(&self, request: OutgoingRequest) -> Result<OutgoingResponse, FetchError> {
        match self.call(Call::Fetch(Box::new(request))).await {
            Ok(Answer::Fetched(answer)) => answer,
            Ok(_) => Err(FetchError::Failed(unavailable().to_string())),
            Err(ContextError::TooLarge(text)) => Err(FetchError::OverBound(text)),
            Err(error) => Err(FetchError::Failed(error.to_string())),
        }
    }

    /// The node knows how much is left, and refuses what is over it.
    fn http_bytes_left(&self) -> u64 {
        self.facts.limits.http_bytes
    }
}
