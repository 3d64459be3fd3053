//! Writes the steps of results in batches: those that come while one call is under way go with the next.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::store::{ResultStore, Step, StoreError, Transitioned};

/// Most steps of one call.
const BATCH: usize = 128;

/// Steps that wait; beyond it, those that have one to take wait too.
const WAITING: usize = 1_024;

/// A step that carries more than this is written by a call of its own, so that no other waits for it.
const LARGE: usize = 64 << 10;

/// Takes steps.
pub struct Recorder {
    results: Arc<dyn ResultStore>,
    sender: mpsc::Sender<Waiting>,
    _recording: AbortOnDropHandle<()>,
}

struct Waiting {
    step: Arc<Step>,
    answer: oneshot::Sender<Result<Transitioned, StoreError>>,
}

impl Recorder {
    /// Starts the task that writes; must be called within a runtime.
    #[must_use]
    pub fn start(results: Arc<dyn ResultStore>) -> Arc<Self> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let recording = tokio::spawn(record(Arc::clone(&results), receiver));
        Arc::new(Self { results, sender, _recording: AbortOnDropHandle::new(recording) })
    }

    /// Takes one step; returns when the store has answered.
    pub(crate) async fn record(&self, step: &Arc<Step>) -> Result<Transitioned, StoreError> {
        if step.transition.size() > LARGE {
            return first(self.results.transition_all(&[step.as_ref()]).await);
        }
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { step: Arc::clone(step), answer };
        self.sender.send(waiting).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn first(answers: Vec<Result<Transitioned, StoreError>>) -> Result<Transitioned, StoreError> {
    answers.into_iter().next().unwrap_or_else(|| Err(gone()))
}

fn gone() -> StoreError {
    StoreError::Unavailable("the task that writes results ended".to_owned())
}

async fn record(results: Arc<dyn ResultStore>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut waiting, BATCH).await > 0 {
        let steps: Vec<&Step> = waiting.iter().map(|one| one.step.as_ref()).collect();
        let answers = results.transition_all(&steps).await;
        for (one, answer) in waiting.drain(..).zip(answers) {
            // Nobody may wait for the answer any more; what is stored stays stored.
            let _ = one.answer.send(answer);
        }
    }
}
