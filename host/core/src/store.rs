//! The ports to results, state and modules. Each write that depends on the present state is one atomic step at the store.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entries::Entries;
use crate::ids::{Digest, NodeId, QueueName, RequestId, Tenant};
use crate::json::Json;
use crate::limits::{Bound, Limits};
use crate::module::{ModuleIndex, Serving};
use crate::report::Report;
use crate::request::Request;
use crate::result::{RequestResult, State, Value};

/// Why a call to a store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, or refuses to write; trying again may help.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// What is stored is not what we or Mognet write.
    #[error("stored data malformed: {0}")]
    Malformed(String),
}

/// The start of an attempt: RUNNING, one more start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The node.
    pub node_id: NodeId,
    /// When.
    pub at: Timestamp,
}

/// A step in the life of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// An attempt starts.
    Start(Start),
    /// It waits: SUSPENDED, one more stop.
    Suspend,
    /// It asks for another attempt after a failure: SUSPENDED, one more stop, and one more of [`RequestResult::retries`].
    Retry,
    /// It goes on: RUNNING, one more start.
    Resume {
        /// The node.
        node_id: NodeId,
    },
    /// It is done: a final state with its value, one more stop, without the steps of its waits.
    Finish {
        /// A final state.
        state: State,
        /// The value or the error.
        value: Value,
        /// Now.
        at: Timestamp,
        /// What the attempt used and logged; none where there was none.
        report: Option<Box<Report>>,
        /// How often it waited for children.
        waits: Waits,
        /// Whether there may be state, which goes then.
        kept_state: bool,
    },
}

/// A step of one result, for the attempt `fence`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Whose it is.
    pub tenant: Tenant,
    /// Which.
    pub id: RequestId,
    /// The attempt.
    pub fence: u32,
    /// The attempt's start, where it may not be stored yet: it is then stored together with what happens.
    pub start: Option<Start>,
    /// What happens.
    pub transition: Transition,
}

impl Step {
    /// The start that it stores, alone or with what happens.
    #[must_use]
    pub fn started(&self) -> Option<&Start> {
        match &self.transition {
            Transition::Start(start) => Some(start),
            _ => self.start.as_ref(),
        }
    }
}

/// An attempt that is about to start, and what must hold first: Mognet's rules on results, retries and ancestors.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning {
    /// Whose request it is.
    pub tenant: Tenant,
    /// Which.
    pub id: RequestId,
    /// The attempt.
    pub fence: u32,
    /// Requests that must exist and not be revoked, outermost first.
    pub ancestors: Vec<RequestId>,
    /// Crashes of nodes that the broker counted.
    pub expiries: u32,
    /// The most attempts that may have ended unexpectedly.
    pub max_unexpected: u32,
}

/// What became of a beginning. The first that applies, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// There is no result: it was evicted or deleted.
    Missing,
    /// It is done already.
    Final(State),
    /// A later attempt holds the request.
    Fenced,
    /// So many attempts ended unexpectedly, which is more than are allowed.
    TooManyRetries(u32),
    /// An ancestor does not exist any more, or was revoked.
    Orphaned {
        /// Which.
        ancestor: RequestId,
        /// Whether it was revoked.
        revoked: bool,
    },
    /// Everything holds: it may start.
    Admitted {
        /// Further attempts that the task asked for so far.
        retries: u32,
    },
}

impl Transition {
    /// Bytes of what it stores, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Finish { value, report, .. } => value.size() + report.as_ref().map_or(0, |report| report.size()),
            _ => 0,
        }
    }
}

/// Steps of an attempt that waited for others, taken back from the counts when it ends: Mognet's worker writes the counts of its own
/// copy then, which knows of no waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// Times it was suspended: that many stops.
    pub suspended: u32,
    /// Times it went on: that many starts.
    pub resumed: u32,
}

/// What became of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transitioned {
    /// It is stored.
    Applied,
    /// The result is final and never changes again.
    Final(State),
    /// A later attempt holds the request.
    Fenced,
    /// There is no such result: it was evicted or deleted.
    Missing,
}

/// What became of a write of metadata or state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The whole of it is stored.
    Stored,
    /// Nothing is stored: together with what is there, it would be over this bound.
    OverBound(Bound),
    /// Nothing is stored: a later attempt holds the request, or it is done.
    Fenced,
    /// Nothing is stored: there is no such result.
    Missing,
}

/// What became of the removal of one key of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Popped {
    /// It is gone; what it was, if it was there.
    Value(Option<Json>),
    /// Nothing is removed: a later attempt holds the request, or it is done.
    Fenced,
    /// Nothing is removed: there is no such result.
    Missing,
}

/// Which of several results to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitMode {
    /// Every one is final.
    All,
    /// At least one is.
    Any,
}

/// A result that is not final, with what is needed to look for its message and to end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenResult {
    /// Whose it is.
    pub tenant: Tenant,
    /// The queue that its request was submitted to.
    pub queue: QueueName,
    /// Which.
    pub id: RequestId,
    /// How it stands.
    pub state: State,
    /// The last attempt whose start is stored; 0 where none is.
    pub attempt: u32,
    /// When it was submitted.
    pub created: Timestamp,
}

/// Results with their values, metadata and children, in Mognet's format.
#[async_trait]
pub trait ResultStore: Send + Sync + 'static {
    /// Stores the result of a new request, PENDING, with its metadata, and adds it to its parent's children, in Mognet's order:
    /// child, result, metadata. A result that exists already is left as it is, with its metadata; true where it is new.
    async fn create(&self, tenant: &Tenant, request: &Request, at: Timestamp) -> Result<bool, StoreError>;

    /// Reads results, in the order of `ids`; none for each that does not exist.
    async fn read(&self, tenant: &Tenant, ids: &[RequestId]) -> Result<Vec<Option<RequestResult>>, StoreError>;

    /// Whether results, retries and ancestors allow attempts to start: one call for all that a node was handed out. Answers in the
    /// order of `beginnings`. Reads only.
    async fn check(&self, beginnings: &[Beginning]) -> Vec<Result<Begun, StoreError>>;

    /// Takes steps: one call for all attempts of a node that have one to take. A final result never changes, and an attempt earlier
    /// than the last one whose start is stored is fenced off. Answers in the order of `steps`. Sending a step again counts once, and
    /// so does a start, however often it comes along.
    async fn transition_all(&self, steps: &[&Step]) -> Vec<Result<Transitioned, StoreError>>;

    /// Takes one step.
    async fn transition(&self, tenant: &Tenant, id: RequestId, fence: u32, step: &Transition) -> Result<Transitioned, StoreError> {
        let step = Step { tenant: tenant.clone(), id, fence, start: None, transition: step.clone() };
        let answer = self.transition_all(&[&step]).await.into_iter().next();
        answer.unwrap_or_else(|| Err(StoreError::Malformed("no answer to a step".to_owned())))
    }

    /// Makes a result REVOKED, as Mognet's client does; one that does not exist yet is created so. Returns the state before, none
    /// where there was no result; a final one is left as it is.
    async fn revoke(&self, tenant: &Tenant, id: RequestId, at: Timestamp) -> Result<Option<State>, StoreError>;

    /// The value of a result; none where there is none yet or no longer.
    async fn value(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Value>, StoreError>;

    /// The report of the last finished attempt.
    async fn report(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Report>, StoreError>;

    /// One key of a result's metadata: none where there is no result, and none within where there is no such key.
    async fn metadata_entry(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Option<Json>>, StoreError> {
        Ok(self.metadata(tenant, id).await?.map(|entries| entries.get(key).cloned()))
    }

    /// Metadata of a result, sorted by key; none where there is no result.
    async fn metadata(&self, tenant: &Tenant, id: RequestId) -> Result<Option<Entries>, StoreError>;

    /// Stores all entries or none beside those that are there. `fence` is the attempt that writes, none for a writer from outside.
    async fn set_metadata(
        &self,
        tenant: &Tenant,
        id: RequestId,
        fence: Option<u32>,
        entries: &Entries,
        limits: &Limits,
    ) -> Result<Written, StoreError>;

    /// The children of a request, sorted by id.
    async fn children(&self, tenant: &Tenant, id: RequestId) -> Result<Vec<RequestId>, StoreError>;

    /// Results that are not final and were created after and not later than these moments, oldest first, at most so many. Those that
    /// Mognet's own client created are not among them.
    async fn open(&self, after: Timestamp, until: Timestamp, most: usize) -> Result<Vec<OpenResult>, StoreError>;

    /// Whether it takes writes now. Asks by a write that changes nothing: a store that is full, or may only be read, answers
    /// questions all the same.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Waits until the results are final as `mode` says, then reads them. One that does not exist counts as final. Woken by a
    /// notification, with a slow look now and then in case one is missed. Waits for ever: the caller sets the time.
    async fn wait(&self, tenant: &Tenant, ids: &[RequestId], mode: WaitMode) -> Result<Vec<Option<RequestResult>>, StoreError>;
}

/// JSON by key that a task keeps across its attempts; gone two hours after its last use. `fence` is the attempt that writes, checked
/// against the request's result in the same step.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// The value under a key.
    async fn get(&self, tenant: &Tenant, id: RequestId, key: &str) -> Result<Option<Json>, StoreError>;

    /// Stores a value.
    async fn set(
        &self,
        tenant: &Tenant,
        id: RequestId,
        fence: u32,
        key: &str,
        value: &Json,
        limits: &Limits,
    ) -> Result<Written, StoreError>;

    /// Removes a key and returns its value.
    async fn pop(&self, tenant: &Tenant, id: RequestId, fence: u32, key: &str) -> Result<Popped, StoreError>;

    /// Removes all keys. Without a fence it is the host that does so, of a request that is done or gone, and nothing is checked.
    async fn clear(&self, tenant: &Tenant, id: RequestId, fence: Option<u32>) -> Result<Written, StoreError>;
}

/// A tenant's modules as they stand, with the revision that a change must name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexSnapshot {
    /// Grows with each change; 0 where there is none yet.
    pub revision: u64,
    /// The modules.
    pub index: ModuleIndex,
}

/// Modules: bytes by digest, and one index a tenant.
#[async_trait]
pub trait ModuleStore: Send + Sync + 'static {
    /// Stores the bytes of a module under their digest.
    async fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError>;

    /// The bytes of a module; `Malformed` where they do not have its digest.
    async fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Grows with each change of any tenant's modules: what was read since it last grew is up to date.
    async fn generation(&self) -> Result<u64, StoreError>;

    /// What the active modules of these tenants serve, in their order: one call for all of them.
    async fn serving(&self, tenants: &[Tenant]) -> Result<Vec<Serving>, StoreError>;

    /// The tenant's modules as they stand.
    async fn index(&self, tenant: &Tenant) -> Result<IndexSnapshot, StoreError>;

    /// Replaces the tenant's index where it still has `revision`; false where somebody was faster.
    async fn replace_index(&self, tenant: &Tenant, revision: u64, index: &ModuleIndex) -> Result<bool, StoreError>;
}
