//! The port to the sandbox: one attempt in, one outcome out. The seam that lets the worker be tested without WebAssembly.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::context::TaskContext;
use crate::ids::Digest;
use crate::limits::Limits;
use crate::module::Inspection;
use crate::outcome::Outcome;
use crate::report::{LogLine, Receipt};

/// One run of a request.
pub struct Attempt {
    /// The module that serves it.
    pub module: Digest,
    /// What the guest sees of the world (its request, metadata, state, children), its bounds, and when it is to end.
    pub context: Arc<TaskContext>,
}

/// How a run went.
#[derive(Debug)]
pub struct Execution {
    /// How it ended.
    pub outcome: Outcome,
    /// What it used. The worker adds what only it knows: the time queued and the node.
    pub receipt: Receipt,
    /// What it logged, within its bounds.
    pub log: Vec<LogLine>,
    /// Lines beyond them.
    pub dropped_lines: u64,
}

impl Execution {
    /// An attempt that ended before a guest was started.
    #[must_use]
    pub fn without_run(outcome: Outcome) -> Self {
        Self { outcome, receipt: Receipt::default(), log: Vec::new(), dropped_lines: 0 }
    }
}

/// Why the host stops an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The request was revoked.
    Revoked,
    /// The node shuts down: the request is given back.
    Draining,
    /// The lease ran out or went to another node: whatever the attempt does counts no more.
    LeaseLost,
}

/// The host's wish that an attempt ends: first asked, then made. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: CancellationToken,
    made: CancellationToken,
    reason: Arc<Mutex<Option<StopReason>>>,
}

impl Stop {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the guest to finish soon. The first reason stays, but for a lost lease, after which no other counts.
    pub fn ask(&self, reason: StopReason) {
        let mut known = self.known_reason();
        if known.is_none() || reason == StopReason::LeaseLost {
            *known = Some(reason);
        }
        drop(known);
        self.asked.cancel();
    }

    /// Stops the guest now.
    pub fn force(&self, reason: StopReason) {
        self.ask(reason);
        self.made.cancel();
    }

    /// Whether the guest was asked to finish soon.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Whether the guest is to be stopped now.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.made.is_cancelled()
    }

    /// Why, once asked.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        *self.known_reason()
    }

    fn known_reason(&self) -> MutexGuard<'_, Option<StopReason>> {
        // One value, written in one step: whole even after a panic elsewhere.
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the guest is asked to finish soon.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Ends when the guest is to be stopped now.
    pub async fn forced(&self) {
        self.made.cancelled().await;
    }
}

/// Why a module is not admitted: the reason, with the offending import, export or bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("module refused: {0}")]
pub struct Rejected(pub String);

/// Runs attempts.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs one attempt in a fresh sandbox that is gone when this returns. Never fails: whatever happens is an outcome.
    async fn execute(&self, attempt: Attempt) -> Execution;

    /// Checks an uploaded module, compiles it, and asks it what it serves.
    ///
    /// # Errors
    /// Where it is no component, imports what is not allowed, does not serve tasks, or describes them wrongly.
    async fn inspect(&self, bytes: Arc<[u8]>, limits: &Limits) -> Result<Inspection, Rejected>;
}
