//! Children of a request: submitting them, and waiting without holding a thread or a place on the node.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryFutureExt as _;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{ContextError, TaskContext};
use crate::broker::BrokerError;
use crate::entries::Entries;
use crate::ids::{InvalidName, RequestId, TaskName};
use crate::json::Json;
use crate::limits::Bound;
use crate::request::{Deadline, Request};
use crate::result::{Exception, RequestResult, State, Value};
use crate::store::{StoreError, Transition, WaitMode};
use crate::submit::SubmitError;
use crate::wire::deadline;

/// The longest deadline: what a message can carry.
const LONGEST: SignedDuration = SignedDuration::from_secs(deadline::LONGEST);

/// The most ids of one wait.
pub const MAX_WAIT_IDS: usize = 1_000;

/// A child to submit.
#[derive(Debug, Clone, PartialEq)]
pub struct NewChild {
    /// The task.
    pub name: String,
    /// Arguments by position.
    pub args: Vec<Json>,
    /// Arguments by name.
    pub kwargs: Entries,
    /// Metadata.
    pub metadata: Entries,
    /// 0 to 10; the parent's where absent.
    pub priority: Option<u8>,
    /// The queue; the tenant's default where absent.
    pub queue: Option<String>,
    /// Time from its start after which it is stopped.
    pub deadline: Option<Duration>,
}

/// How a child stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ChildOutcome {
    /// Its value.
    Success(Json),
    /// It failed, with this text.
    Failure(String),
    /// It was revoked or its deadline passed.
    Revoked(String),
    /// It never ran.
    Invalid(String),
    /// It is not done.
    Pending,
}

impl TaskContext {
    /// Submits a child and returns its id.
    ///
    /// # Errors
    /// Where a name, value or bound is not kept, or store or broker do not answer.
    pub async fn submit(&self, child: NewChild) -> Result<RequestId, ContextError> {
        self.check_holder()?;
        let request = self.child_request(child)?;
        self.in_time(self.submit_request(request)).await
    }

    async fn submit_request(&self, request: Request) -> Result<RequestId, ContextError> {
        let known = self.known_children().await?;
        if known.load(Ordering::Relaxed) >= self.facts.limits.length(Bound::Children) {
            return Err(self.over(Bound::Children));
        }
        self.store_start().await?;
        // Tried again under the same id, which makes one request of it however often an answer is lost.
        let submitted = self.patiently(|| async {
            match self.services.submitter.submit(&self.lease.tenant, request.clone(), Duration::ZERO).await {
                Err(SubmitError::Store(error)) => Err(error),
                Err(SubmitError::Broker(error)) => Err(StoreError::Unavailable(error.to_string())),
                other => Ok(other.map_err(ContextError::from)),
            }
        });
        let id = submitted.await??;
        known.fetch_add(1, Ordering::Relaxed);
        Ok(id)
    }

    /// How many children there are: read once, then counted, as this attempt alone adds any.
    async fn known_children(&self) -> Result<&AtomicUsize, ContextError> {
        let (tenant, id) = (&self.lease.tenant, self.facts.request.id);
        let read = || async { Ok(AtomicUsize::new(self.patiently(|| self.services.results.children(tenant, id)).await?.len())) };
        self.children.get_or_try_init(read).await
    }

    /// The request of a child. Every bound on it is checked where it is submitted.
    fn child_request(&self, child: NewChild) -> Result<Request, ContextError> {
        let name: TaskName = child.name.parse().map_err(|error: InvalidName| ContextError::Invalid(error.to_string()))?;
        // A child may be told who its parent is for, and no more.
        self.check_protected(&child.metadata, |key| self.facts.request.metadata.get(key))?;
        let mut request = Request::new(name);
        request.args = child.args;
        request.kwargs = child.kwargs;
        request.metadata = child.metadata;
        request.priority = child.priority.unwrap_or(request.priority);
        request.queue_name = child.queue;
        request.deadline = child.deadline.map(|after| Deadline::After(SignedDuration::try_from(after).unwrap_or(LONGEST).min(LONGEST)));
        request.stack = self.facts.request.stack.iter().copied().chain([self.facts.request.id]).collect();
        Ok(request)
    }

    /// Waits for children and says how each stands. The request is SUSPENDED meanwhile.
    ///
    /// # Errors
    /// Where an id is no child of this request, there are more than [`MAX_WAIT_IDS`], or the store does not answer.
    pub async fn wait(&self, ids: &[RequestId], mode: WaitMode, timeout: Option<Duration>) -> Result<Vec<ChildOutcome>, ContextError> {
        if ids.len() > MAX_WAIT_IDS {
            return Err(ContextError::Limit(format!("{} ids to wait for, at most {MAX_WAIT_IDS} are allowed", ids.len())));
        }
        let now = self.in_time(self.children_now(ids)).await?;
        let results = if ids.is_empty() || satisfied(&now, mode) { now } else { self.suspended(ids, mode, timeout).await? };
        self.in_time(self.child_outcomes(ids, results)).await
    }

    async fn children_now(&self, ids: &[RequestId]) -> Result<Vec<Option<RequestResult>>, ContextError> {
        self.check_children(ids).await?;
        self.patiently(|| self.services.results.read(&self.lease.tenant, ids)).await
    }

    /// The outcomes one by one: together they may not be more than the guest may be told.
    async fn child_outcomes(&self, ids: &[RequestId], results: Vec<Option<RequestResult>>) -> Result<Vec<ChildOutcome>, ContextError> {
        let mut left = self.facts.limits.length(Bound::HostBytes);
        let mut outcomes = Vec::with_capacity(ids.len());
        for (id, result) in ids.iter().zip(results) {
            let outcome = self.child_outcome(*id, result).await?;
            left = left.checked_sub(outcome.size()).ok_or_else(|| self.over(Bound::HostBytes))?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn check_children(&self, ids: &[RequestId]) -> Result<(), ContextError> {
        let (tenant, parent) = (&self.lease.tenant, self.facts.request.id);
        let children: HashSet<RequestId> = self.patiently(|| self.services.results.children(tenant, parent)).await?.into_iter().collect();
        match ids.iter().find(|id| !children.contains(id)) {
            Some(stranger) => Err(ContextError::NotFound(format!("request {stranger} is no child of request {parent}"))),
            None => Ok(()),
        }
    }

    /// Gives this attempt's place on the node to others while it waits: trees of requests cannot deadlock.
    async fn suspended(
        &self,
        ids: &[RequestId],
        mode: WaitMode,
        timeout: Option<Duration>,
    ) -> Result<Vec<Option<RequestResult>>, ContextError> {
        self.in_time(self.suspend()).await?;
        self.counted_waits().suspended += 1;
        let place = self.services.capacity.lend(&self.lease.tenant, self.facts.weight);
        self.tell_broker(true).await;
        let answer = self.wait_at_most(ids, mode, timeout).await;
        self.tell_broker(false).await;
        drop(place);
        self.in_time(self.step(Transition::Resume { node_id: self.services.node_id.clone() })).await?;
        self.counted_waits().resumed += 1;
        answer
    }

    /// Bounded by its own timeout and by the ends of the attempt.
    async fn wait_at_most(
        &self,
        ids: &[RequestId],
        mode: WaitMode,
        timeout: Option<Duration>,
    ) -> Result<Vec<Option<RequestResult>>, ContextError> {
        let results = &self.services.results;
        let waited = async {
            tokio::select! {
                answer = self.patiently_for_ever(|| results.wait(&self.lease.tenant, ids, mode)) => answer,
                never = self.stop_at_once() => never,
            }
        };
        let Some(limit) = timeout else { return waited.await };
        match tokio::time::timeout(limit, waited).await {
            Ok(answer) => answer,
            Err(_) => self.in_time(self.patiently(|| results.read(&self.lease.tenant, ids))).await,
        }
    }

    /// Where the broker does not hear of it, the tenant's cap counts one too many or too few, until this request is settled.
    async fn tell_broker(&self, waiting: bool) {
        let told = self.services.broker.set_waiting(&self.lease, waiting).map_err(|error| ContextError::Unavailable(error.to_string()));
        if let Err(error) = self.in_time(told).await {
            tracing::warn!(request = %self.facts.request.id, waiting, %error, "the broker was not told");
        }
    }

    /// A guest that waits has nothing to finish: once it is asked to, it is stopped, and this wait with it.
    async fn stop_at_once<T>(&self) -> T {
        self.facts.stop.asked().await;
        if let Some(reason) = self.facts.stop.reason() {
            self.facts.stop.force(reason);
        }
        std::future::pending().await
    }

    async fn suspend(&self) -> Result<(), ContextError> {
        self.store_start().await?;
        self.step(Transition::Suspend).await
    }

    /// A wait outlives hiccups of the store: the attempt's own bounds end it.
    async fn patiently_for_ever<T, F>(&self, call: impl Fn() -> F) -> Result<T, ContextError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failures = 0;
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::debug!(request = %self.facts.request.id, %error, "a wait goes on after an error of the store");
                    failures += 1;
                    tokio::time::sleep(crate::retry::Backoff::CALLS.wait(failures)).await;
                }
            }
        }
    }

    async fn child_outcome(&self, id: RequestId, result: Option<RequestResult>) -> Result<ChildOutcome, ContextError> {
        let Some(result) = result else {
            return Ok(ChildOutcome::Revoked("its result was deleted".into()));
        };
        if !result.state.is_final() {
            return Ok(ChildOutcome::Pending);
        }
        let value = self.patiently(|| self.services.results.value(&self.lease.tenant, id)).await?;
        Ok(match (result.state, value) {
            (State::Success, Some(Value::Success(json))) => ChildOutcome::Success(json),
            (State::Success, _) => ChildOutcome::Failure("its value was deleted".into()),
            (State::Revoked, value) => ChildOutcome::Revoked(error_text(value, "revoked")),
            (State::Invalid, value) => ChildOutcome::Invalid(error_text(value, "invalid")),
            (_, value) => ChildOutcome::Failure(error_text(value, "failed")),
        })
    }
}

impl ChildOutcome {
    /// Bytes of its text.
    fn size(&self) -> usize {
        match self {
            Self::Success(json) => json.size(),
            Self::Failure(text) | Self::Revoked(text) | Self::Invalid(text) => text.len(),
            Self::Pending => 0,
        }
    }
}

fn satisfied(results: &[Option<RequestResult>], mode: WaitMode) -> bool {
    let done = |result: &Option<RequestResult>| result.as_ref().is_none_or(|result| result.state.is_final());
    match mode {
        WaitMode::All => results.iter().all(done),
        WaitMode::Any => results.iter().any(done),
    }
}

fn error_text(value: Option<Value>, otherwise: &str) -> String {
    match value {
        Some(Value::Exception(exception)) => exception.to_string(),
        _ => otherwise.to_owned(),
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed { kind, message, .. } if kind.is_empty() => f.write_str(message),
            Self::Failed { kind, message, .. } => write!(f, "{kind}: {message}"),
            Self::UnknownTask(name) => write!(f, "no module serves task {name:?}"),
            Self::InvalidTaskArguments(errors) => {
                let each: Vec<String> = errors.iter().map(|(argument, why)| format!("{argument}: {why}")).collect();
                write!(f, "arguments do not fit: {}", each.join("; "))
            }
            Self::Timeout => f.write_str("the deadline passed"),
            Self::TooManyRetries { actual, max, .. } => write!(f, "{actual} attempts ended unexpectedly, at most {max} are allowed"),
            Self::RecursionLimit => {
                f.write_str("too many ancestors: over the bound depth; a node started with --limit depth=VALUE raises it")
            }
            Self::NotReady => f.write_str("revoked before it ran"),
        }
    }
}

impl From<SubmitError> for ContextError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(text) => Self::Invalid(text),
            SubmitError::OverBound { bound, text } => Self::over(bound, text),
            SubmitError::Store(error) => Self::Unavailable(error.to_string()),
            error @ SubmitError::Suspended(_) => Self::Denied(error.to_string()),
            SubmitError::Broker(BrokerError::Unavailable(text) | BrokerError::Malformed(text)) => Self::Unavailable(text),
        }
    }
}
