//! Children of a request: submitting them, and waiting without holding a thread or a place on the node.

use std::collections::HashSet;
use std::time::Duration;

use jiff::SignedDuration;

use super::{ContextError, TaskContext};
use crate::broker::BrokerError;
use crate::entries::Entries;
use crate::ids::{QueueName, RequestId, TaskName};
use crate::json::Json;
use crate::limits::Bound;
use crate::request::{Deadline, MAX_PRIORITY, Request};
use crate::result::{Exception, RequestResult, State, Value};
use crate::store::{Transition, Transitioned, WaitMode};
use crate::submit::SubmitError;

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
#[derive(Debug, Clone, PartialEq)]
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
        let (tenant, parent) = (&self.tenant, self.request.id);
        let siblings = self.patiently(|| self.services.results.children(tenant, parent)).await?;
        if siblings.len() >= self.limits.length(Bound::Children) {
            return Err(self.over(Bound::Children));
        }
        let id = request.id;
        self.services.submitter.submit(tenant, request, Duration::ZERO).await.map_err(ContextError::from)?;
        Ok(id)
    }

    fn child_request(&self, child: NewChild) -> Result<Request, ContextError> {
        let invalid = |error: &dyn std::fmt::Display| ContextError::Invalid(error.to_string());
        let name: TaskName = child.name.parse().map_err(|e| invalid(&e))?;
        if let Some(queue) = &child.queue {
            queue.parse::<QueueName>().map_err(|e| invalid(&e))?;
        }
        let priority = child.priority.unwrap_or(self.request.priority);
        if priority > MAX_PRIORITY {
            return Err(ContextError::Invalid(format!("invalid priority {priority}: expected 0 to {MAX_PRIORITY}")));
        }
        if self.request.stack.len() >= self.limits.length(Bound::Depth) {
            return Err(self.over(Bound::Depth));
        }
        self.check_entries(&child.metadata, Bound::MetadataKeys, Bound::Metadata)?;
        let mut request = Request::new(name);
        request.args = child.args;
        request.kwargs = child.kwargs;
        request.metadata = child.metadata;
        request.priority = priority;
        request.queue_name = child.queue;
        request.deadline = child.deadline.map(|after| Deadline::After(SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX)));
        request.stack = self.request.stack.iter().copied().chain([self.request.id]).collect();
        if request.argument_size() > self.limits.length(Bound::Arguments) {
            return Err(self.over(Bound::Arguments));
        }
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
        self.check_children(ids).await?;
        let tenant = &self.tenant;
        let now = self.patiently(|| self.services.results.read(tenant, ids)).await?;
        let results = if ids.is_empty() || satisfied(&now, mode) { now } else { self.suspended(ids, mode, timeout).await? };
        futures::future::try_join_all(ids.iter().zip(results).map(|(id, result)| self.child_outcome(*id, result))).await
    }

    async fn check_children(&self, ids: &[RequestId]) -> Result<(), ContextError> {
        let (tenant, parent) = (&self.tenant, self.request.id);
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
        self.step(&Transition::Suspend).await?;
        self.counted_waits().suspended += 1;
        let place = self.services.capacity.lend();
        let results = &self.services.results;
        let waited = async { self.patiently_for_ever(|| results.wait(&self.tenant, ids, mode)).await };
        let answer = match timeout {
            None => waited.await,
            Some(limit) => match tokio::time::timeout(limit, waited).await {
                Ok(answer) => answer,
                Err(_) => self.patiently(|| results.read(&self.tenant, ids)).await,
            },
        };
        drop(place);
        self.step(&Transition::Resume { node_id: self.services.node_id.clone() }).await?;
        self.counted_waits().resumed += 1;
        answer
    }

    async fn step(&self, step: &Transition) -> Result<(), ContextError> {
        let (tenant, id) = (&self.tenant, self.request.id);
        match self.patiently(|| self.services.results.transition(tenant, id, self.fence, step)).await? {
            Transitioned::Applied => Ok(()),
            Transitioned::Final(state) => Err(ContextError::Denied(format!("request {id} is {state} already"))),
            Transitioned::Fenced => Err(self.not_holder()),
            Transitioned::Missing => Err(self.result_gone()),
        }
    }

    /// A wait outlives hiccups of the store: the attempt's own bounds end it.
    async fn patiently_for_ever<T, F>(&self, call: impl Fn() -> F) -> Result<T, ContextError>
    where
        F: Future<Output = Result<T, crate::store::StoreError>>,
    {
        let mut failures = 0;
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::debug!(request = %self.request.id, %error, "a wait goes on after an error of the store");
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
        let value = self.patiently(|| self.services.results.value(&self.tenant, id)).await?;
        Ok(match (result.state, value) {
            (State::Success, Some(Value::Success(json))) => ChildOutcome::Success(json),
            (State::Success, _) => ChildOutcome::Failure("its value was deleted".into()),
            (State::Revoked, value) => ChildOutcome::Revoked(error_text(value, "revoked")),
            (State::Invalid, value) => ChildOutcome::Invalid(error_text(value, "invalid")),
            (_, value) => ChildOutcome::Failure(error_text(value, "failed")),
        })
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
            Self::RecursionLimit => f.write_str("too many ancestors"),
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
            SubmitError::Broker(BrokerError::Unavailable(text) | BrokerError::Malformed(text)) => Self::Unavailable(text),
        }
    }
}
