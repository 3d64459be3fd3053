//! What a running guest can do, in plain Rust: the sandbox turns each host call into one call here. Every bound on what is said
//! is checked here, before anything reaches a store; how much is said (calls, bytes) is counted by the sandbox.

mod calls;
mod children;
mod error;
mod outgoing;
mod start;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::broker::{Broker, Lease};
use crate::entries::{Entries, check_key};
use crate::executor::{Stop, StopReason};
use crate::ids::NodeId;
use crate::isolation::Isolation;
use crate::json::Json;
use crate::limits::{Bound, Limits};
use crate::outgoing::{Fetch, HttpMeter};
use crate::request::Request;
use crate::retry::Backoff;
use crate::store::{Popped, ResultStore, Start, StateStore, StoreError, Waits, Written};
use crate::submit::Submitter;
use crate::tenants::Terms;
use crate::usage::{Meter, Usage};
use crate::worker::capacity::Capacity;
use crate::worker::recorder::Recorder;

pub use calls::{Facts, HostCalls};
pub use children::{ChildOutcome, MAX_WAIT_IDS, NewChild};
pub use error::ContextError;

/// What host calls reach: one value a node, shared by its attempts.
#[derive(Clone)]
pub struct Services {
    /// Results and metadata.
    pub results: Arc<dyn ResultStore>,
    /// Takes the steps of results.
    pub recorder: Arc<Recorder>,
    /// State.
    pub state: Arc<dyn StateStore>,
    /// Submission of children.
    pub submitter: Arc<Submitter>,
    /// The node's capacity, of which a waiting guest gives back its share.
    pub capacity: Arc<Capacity>,
    /// Where its requests come from, and are told that they wait.
    pub broker: Arc<dyn Broker>,
    /// Where what is stored is added up.
    pub meter: Arc<Meter>,
    /// Sends the requests of guests.
    pub fetch: Arc<dyn Fetch>,
    /// This node.
    pub node_id: NodeId,
}

/// One attempt's view of the world.
pub struct TaskContext {
    services: Services,
    lease: Lease,
    facts: Facts,
    terms: Arc<Terms>,
    start: Start,
    /// Set once the start is known to be stored.
    start_stored: OnceCell<()>,
    /// Whether there may be state, as far as is known here.
    kept_state: AtomicBool,
    waits: Mutex<Waits>,
    /// How many children there are, once somebody asked.
    children: OnceCell<AtomicUsize>,
    http: HttpMeter,
}

/// What distinguishes one attempt from another.
pub struct AttemptIdentity {
    /// The right to run it, with its tenant, its queue, and the fencing token, which is also the attempt's number.
    pub lease: Lease,
    /// The request.
    pub request: Arc<Request>,
    /// What holds for its tenant.
    pub terms: Arc<Terms>,
    /// The host's wish that it ends.
    pub stop: Stop,
    /// When it starts.
    pub at: Timestamp,
    /// Time from now until the request's deadline.
    pub deadline: Option<Duration>,
}

impl TaskContext {
    /// The view of an attempt that starts now.
    #[must_use]
    pub fn new(services: Services, identity: AttemptIdentity) -> Self {
        let AttemptIdentity { lease, request, terms, stop, at, deadline } = identity;
        let (tenant, queue, attempt, started) = (lease.tenant.clone(), lease.queue.clone(), lease.fence, Instant::now());
        let limits = terms.limits_of(&request.name);
        let (config, weight) = (Arc::clone(&terms.grants.config), terms.share().weight);
        let facts = Facts { tenant, queue, request, attempt, limits, stop, started, deadline, weight, config };
        let start = Start { node_id: services.node_id.clone(), at };
        let (waits, children, http) = (Mutex::default(), OnceCell::new(), HttpMeter::default());
        // An earlier attempt may have left some.
        let kept_state = AtomicBool::new(attempt > 1);
        Self { services, lease, facts, terms, start, start_stored: OnceCell::new(), kept_state, waits, children, http }
    }

    /// What the attempt is.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where it runs.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.terms.isolation
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.facts.request
    }

    /// The attempt's number, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.facts.attempt
    }

    /// Its bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.facts.limits
    }

    /// The host's wish that it ends.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.facts.stop
    }

    /// Whether the guest is asked to finish soon.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.facts.cancelled()
    }

    /// When the attempt started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.facts.started
    }

    /// Time from the start until the request's deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.facts.deadline
    }

    /// Whether the result is SUSPENDED because the guest waits, or was cut short in a wait.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        let waits = self.waits();
        waits.suspended > waits.resumed
    }

    /// Whether there may be state of this request.
    pub(crate) fn may_have_state(&self) -> bool {
        self.kept_state.load(Ordering::Relaxed)
    }

    /// How often the guest waited for children so far.
    #[must_use]
    pub fn waits(&self) -> Waits {
        *self.counted_waits()
    }

    fn counted_waits(&self) -> MutexGuard<'_, Waits> {
        // Each change is one addition, so the counts are whole even after a panic elsewhere.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metadata under a key, as stored now.
    ///
    /// # Errors
    /// See [`ContextError`]; the same holds for every method here.
    pub async fn metadata(&self, key: &str) -> Result<Option<Json>, ContextError> {
        check_key(key)?;
        let (tenant, id) = (&self.lease.tenant, self.facts.request.id);
        let found = self.in_time(self.patiently(|| self.services.results.metadata_entry(tenant, id, key))).await?;
        found.ok_or_else(|| self.result_gone())
    }

    /// All metadata as stored now, sorted by key.
    ///
    /// # Errors
    /// Where the result was deleted, or the store does not answer.
    pub async fn all_metadata(&self) -> Result<Entries, ContextError> {
        let (tenant, id) = (&self.lease.tenant, self.facts.request.id);
        let found = self.in_time(self.patiently(|| self.services.results.metadata(tenant, id))).await?;
        found.ok_or_else(|| self.result_gone())
    }

    /// Stores metadata, all or none. Nothing to store costs no access to the store.
    ///
    /// # Errors
    /// Where a key or a bound is not kept, the request is held by another attempt, or the store does not answer.
    pub async fn set_metadata(&self, entries: &Entries) -> Result<(), ContextError> {
        self.check_entries(entries, Bound::MetadataKeys, Bound::Metadata)?;
        self.check_protected(entries, |_| None)?;
        self.check_holder()?;
        if entries.is_empty() {
            return Ok(());
        }
        self.meter(entries.size());
        let (tenant, id, fence) = (&self.lease.tenant, self.facts.request.id, Some(self.lease.fence));
        let written = self.write(|| self.services.results.set_metadata(tenant, id, fence, entries, &self.facts.limits)).await?;
        self.stored(written)
    }

    /// The state under a key.
    ///
    /// # Errors
    /// Where the key is malformed, or the store does not answer.
    pub async fn state(&self, key: &str) -> Result<Option<Json>, ContextError> {
        check_key(key)?;
        let (tenant, id) = (&self.lease.tenant, self.facts.request.id);
        let found = self.in_time(self.patiently(|| self.services.state.get(tenant, id, key))).await?;
        // A worker of Mognet's may have had the request before, and left some.
        self.kept_state.fetch_or(found.is_some(), Ordering::Relaxed);
        Ok(found)
    }

    /// Stores state.
    ///
    /// # Errors
    /// As [`Self::set_metadata`].
    pub async fn set_state(&self, key: &str, value: &Json) -> Result<(), ContextError> {
        check_key(key)?;
        if value.size() > self.facts.limits.length(Bound::State) {
            return Err(self.over(Bound::State));
        }
        self.check_holder()?;
        self.kept_state.store(true, Ordering::Relaxed);
        self.meter(value.size());
        let (tenant, id, fence) = (&self.lease.tenant, self.facts.request.id, self.lease.fence);
        let written = self.write(|| self.services.state.set(tenant, id, fence, key, value, &self.facts.limits)).await?;
        self.stored(written)
    }

    /// Removes state and returns it.
    ///
    /// # Errors
    /// As [`Self::set_metadata`].
    pub async fn pop_state(&self, key: &str) -> Result<Option<Json>, ContextError> {
        check_key(key)?;
        self.check_holder()?;
        let (tenant, id, fence) = (&self.lease.tenant, self.facts.request.id, self.lease.fence);
        match self.write(|| self.services.state.pop(tenant, id, fence, key)).await? {
            Popped::Value(found) => Ok(found),
            Popped::Fenced => Err(self.not_holder()),
            Popped::Missing => Err(self.result_gone()),
        }
    }

    /// Removes all state.
    ///
    /// # Errors
    /// As [`Self::set_metadata`].
    pub async fn clear_state(&self) -> Result<(), ContextError> {
        self.check_holder()?;
        let (tenant, id, fence) = (&self.lease.tenant, self.facts.request.id, Some(self.lease.fence));
        let written = self.write(|| self.services.state.clear(tenant, id, fence)).await?;
        self.stored(written)
    }

    fn meter(&self, bytes: usize) {
        self.services.meter.add(&self.lease.tenant, Usage::stored(bytes));
    }

    fn check_entries(&self, entries: &Entries, keys: Bound, bytes: Bound) -> Result<(), ContextError> {
        if entries.len() > self.facts.limits.length(keys) {
            return Err(self.over(keys));
        }
        if entries.size() > self.facts.limits.length(bytes) {
            return Err(self.over(bytes));
        }
        entries.iter().try_for_each(|(key, _)| check_key(key)).map_err(ContextError::from)
    }

    /// Whether no entry is under a key that the operator protects, but for those with the value that `allowed` gives.
    fn check_protected<'a>(&self, entries: &Entries, allowed: impl Fn(&str) -> Option<&'a Json>) -> Result<(), ContextError> {
        let forged = |(key, value): &(&str, &Json)| self.terms.protects(key) && allowed(key) != Some(*value);
        match entries.iter().find(forged) {
            Some((key, _)) => Err(ContextError::Denied(format!(
                "metadata key {key:?} is protected: it is set when a request is submitted from outside, and tasks may read it only"
            ))),
            None => Ok(()),
        }
    }

    /// An attempt that lost its lease writes nothing more, even before a later one has started and the store could tell.
    fn check_holder(&self) -> Result<(), ContextError> {
        match self.facts.stop.reason() {
            Some(StopReason::LeaseLost) => Err(self.not_holder()),
            _ => Ok(()),
        }
    }

    fn stored(&self, written: Written) -> Result<(), ContextError> {
        match written {
            Written::Stored => Ok(()),
            Written::OverBound(bound) => Err(self.over(bound)),
            Written::Fenced => Err(self.not_holder()),
            Written::Missing => Err(self.result_gone()),
        }
    }

    fn over(&self, bound: Bound) -> ContextError {
        ContextError::over(bound, self.facts.limits.explain(bound))
    }

    fn not_holder(&self) -> ContextError {
        ContextError::Denied(format!("attempt {} no longer holds request {}", self.lease.fence, self.facts.request.id))
    }

    fn result_gone(&self) -> ContextError {
        ContextError::NotFound(format!("the result of request {} was deleted", self.facts.request.id))
    }

    /// What one host call asks of stores and broker, which ends with the bound on its time, whatever does not answer.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, ContextError>>) -> Result<T, ContextError> {
        match tokio::time::timeout(self.facts.limits.duration(Bound::CallTime), call).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::debug!(request = %self.facts.request.id, "a host call was not answered in time");
                Err(ContextError::Unavailable(format!("no answer of the store yet: {}", self.facts.limits.explain(Bound::CallTime))))
            }
        }
    }

    /// Calls a store again after a hiccup, until it answers.
    async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, ContextError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failures = 0;
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(StoreError::Unavailable(text)) => {
                    tracing::debug!(request = %self.facts.request.id, error = %text, "a host call waits for the store");
                    failures += 1;
                    tokio::time::sleep(Backoff::CALLS.wait(failures)).await;
                }
                Err(error) => {
                    tracing::warn!(request = %self.facts.request.id, %error, "a host call failed at the store");
                    return Err(ContextError::Unavailable("the store gave an answer that makes no sense".into()));
                }
            }
        }
    }
}
