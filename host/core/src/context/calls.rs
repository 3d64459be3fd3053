//! What a guest's host calls are made on, wherever the guest runs: in the node, on stores and broker, or in a process of its own, which
//! passes them on to the node. What is plain data costs no call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{ChildOutcome, ContextError, NewChild, TaskContext};
use crate::config::OpenConfig;
use crate::entries::Entries;
use crate::executor::Stop;
use crate::ids::{QueueName, RequestId, Tenant};
use crate::json::Json;
use crate::limits::{Bound, Limits};
use crate::outgoing::{FetchError, OutgoingRequest, OutgoingResponse};
use crate::request::Request;
use crate::store::WaitMode;

/// What an attempt is: known where it starts, and the same until it ends.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whose request it is.
    pub tenant: Tenant,
    /// The queue it came through.
    pub queue: QueueName,
    /// The request.
    pub request: Arc<Request>,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// Its bounds.
    pub limits: Limits,
    /// The host's wish that it ends.
    pub stop: Stop,
    /// When the attempt started.
    pub started: Instant,
    /// Time from the start until the request's deadline.
    pub deadline: Option<Duration>,
    /// Its tenant's weight, by which guests that compute take turns.
    pub weight: u32,
    /// What its tenant's tasks are configured with, secrets among it.
    pub config: Arc<OpenConfig>,
}

impl Facts {
    /// Whether the guest is asked to finish soon.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.stop.is_asked()
    }

    /// Time until the attempt is stopped.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let longest = self.limits.duration(Bound::WallTime);
        self.deadline.map_or(longest, |deadline| deadline.min(longest)).saturating_sub(self.started.elapsed())
    }
}

/// What a guest can ask of the host. Each call is one of [`TaskContext`], and fails as that does.
#[async_trait]
pub trait HostCalls: Send + Sync + 'static {
    /// The attempt that asks.
    fn facts(&self) -> &Facts;

    /// The metadata under a key, as stored now.
    async fn metadata(&self, key: &str) -> Result<Option<Json>, ContextError>;

    /// All metadata as stored now, sorted by key.
    async fn all_metadata(&self) -> Result<Entries, ContextError>;

    /// Stores metadata, all or none.
    async fn set_metadata(&self, entries: &Entries) -> Result<(), ContextError>;

    /// The state under a key.
    async fn state(&self, key: &str) -> Result<Option<Json>, ContextError>;

    /// Stores state.
    async fn set_state(&self, key: &str, value: &Json) -> Result<(), ContextError>;

    /// Removes state and returns it.
    async fn pop_state(&self, key: &str) -> Result<Option<Json>, ContextError>;

    /// Removes all state.
    async fn clear_state(&self) -> Result<(), ContextError>;

    /// Submits a child and returns its id.
    async fn submit(&self, child: NewChild) -> Result<RequestId, ContextError>;

    /// Waits for children and says how each stands.
    async fn wait(&self, ids: &[RequestId], mode: WaitMode, timeout: Option<Duration>) -> Result<Vec<ChildOutcome>, ContextError>;

    /// Sends an HTTP request and returns its answer.
    async fn fetch(&self, request: OutgoingRequest) -> Result<OutgoingResponse, FetchError>;

    /// Bytes that HTTP requests may still bring in or out, as far as is known here.
    fn http_bytes_left(&self) -> u64;
}

#[async_trait]
impl HostCalls for TaskContext {
    fn facts(&self) -> &Facts {
        Self::facts(self)
    }

    async fn metadata(&self, key: &str) -> Result<Option<Json>, ContextError> {
        Self::metadata(self, key).await
    }

    async fn all_metadata(&self) -> Result<Entries, ContextError> {
        Self::all_metadata(self).await
    }

    async fn set_metadata(&self, entries: &Entries) -> Result<(), ContextError> {
        Self::set_metadata(self, entries).await
    }

    async fn state(&self, key: &str) -> Result<Option<Json>, ContextError> {
        Self::state(self, key).await
    }

    async fn set_state(&self, key: &str, value: &Json) -> Result<(), ContextError> {
        Self::set_state(self, key, value).await
    }

    async fn pop_state(&self, key: &str) -> Result<Option<Json>, ContextError> {
        Self::pop_state(self, key).await
    }

    async fn clear_state(&self) -> Result<(), ContextError> {
        Self::clear_state(self).await
    }

    async fn submit(&self, child: NewChild) -> Result<RequestId, ContextError> {
        Self::submit(self, child).await
    }

    async fn wait(&self, ids: &[RequestId], mode: WaitMode, timeout: Option<Duration>) -> Result<Vec<ChildOutcome>, ContextError> {
        Self::wait(self, ids, mode, timeout).await
    }

    async fn fetch(&self, request: OutgoingRequest) -> Result<OutgoingResponse, FetchError> {
        Self::fetch(self, request).await
    }

    fn http_bytes_left(&self) -> u64 {
        Self::http_bytes_left(self)
    }
}
