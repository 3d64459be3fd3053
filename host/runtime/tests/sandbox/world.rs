//! A world for the sandbox under test: a store in memory, a broker that takes everything, and one sandbox.

#[path = "world/broker.rs"]
mod broker;
#[path = "world/state.rs"]
mod state;
#[path = "world/web.rs"]
mod web;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mogbox_core::config::TenantConfig;
use mogbox_core::context::{AttemptIdentity, Services};
use mogbox_core::module::{ModuleIndex, Serving};
use mogbox_core::outgoing::HttpRules;
use mogbox_core::report::Report;
use mogbox_core::result::Value;
use mogbox_core::store::{Beginning, Begun, IndexSnapshot, OpenResult, Step, Transitioned, WaitMode, Written};
use mogbox_core::submit::Submitter;
use mogbox_core::worker::capacity::Capacity;
use mogbox_core::worker::recorder::Recorder;
use mogbox_core::{
    Attempt, Digest, Entries, Execution, Executor, Grants, InTurn, Isolation, Json, Lease, Limits, ModuleStore, NodeId, Outcome, QueueName,
    Request, RequestId, RequestResult, ResultStore, State, Stop, StoreError, TaskContext, Tenant, Terms,
};
use mogbox_runtime::{EngineSettings, ProcessSettings, Sandbox};
use tokio::sync::Semaphore;

use crate::guests::Guest;

type Stored<T> = Result<T, StoreError>;

/// The key of state for which the store never answers.
pub(crate) const NEVER_ANSWERED: &str = "never";

/// Results, state and modules in memory; says when a guest reached it.
pub(crate) struct Memory {
    metadata: Mutex<HashMap<RequestId, Entries>>,
    children: Mutex<Vec<RequestId>>,
    pub(crate) modules: Mutex<HashMap<Digest, Vec<u8>>>,
    state: Mutex<HashMap<String, Json>>,
    started: Mutex<HashSet<RequestId>>,
    /// One permit for each time that a guest set metadata, began to wait, or asked for state that never comes.
    pub(crate) reached: Semaphore,
    /// One for each attempt of which nothing is left.
    parted: Semaphore,
    /// Why the store does not answer with a module's bytes, while it does not.
    pub(crate) outage: Mutex<Option<String>>,
    /// How often a module's bytes were asked for.
    pub(crate) fetches: Mutex<u32>,
    /// While true, nothing that a guest asks for is ever answered.
    pub(crate) hangs: AtomicBool,
}

impl Memory {
    async fn answer(&self) {
        if self.hangs.load(Ordering::Acquire) {
            self.never().await;
        }
    }

    /// What a guest changes, it changes after its attempt's start.
    fn expect_start(&self, id: RequestId) {
        assert!(self.started.lock().unwrap().contains(&id), "request {id} has no start");
    }

    async fn never(&self) {
        self.reached.add_permits(1);
        std::future::pending().await
    }
}

#[async_trait]
impl ResultStore for Memory {
    async fn create(&self, _: &Tenant, request: &Request, _: Timestamp) -> Stored<bool> {
        self.expect_start(request.parent().unwrap());
        self.children.lock().unwrap().push(request.id);
        Ok(true)
    }

    async fn read(&self, _: &Tenant, ids: &[RequestId]) -> Stored<Vec<Option<RequestResult>>> {
        let pending = |id: &RequestId| RequestResult {
            id: *id,
            name: None,
            state: State::Pending,
            number_of_starts: 0,
            number_of_stops: 0,
            parent_id: None,
            created: None,
            started: None,
            finished: None,
            node_id: None,
            request_kwargs_repr: None,
            retries: 0,
        };
        Ok(ids.iter().map(|id| Some(pending(id))).collect())
    }

    async fn check(&self, beginnings: &[Beginning]) -> Vec<Stored<Begun>> {
        beginnings.iter().map(|_| Ok(Begun::Admitted { retries: 0 })).collect()
    }

    async fn transition_all(&self, steps: &[&Step]) -> Vec<Stored<Transitioned>> {
        self.started.lock().unwrap().extend(steps.iter().filter(|step| step.started().is_some()).map(|step| step.id));
        steps.iter().map(|_| Ok(Transitioned::Applied)).collect()
    }

    async fn revoke(&self, _: &Tenant, _: RequestId, _: Timestamp) -> Stored<Option<State>> {
        Ok(None)
    }

    async fn value(&self, _: &Tenant, _: RequestId) -> Stored<Option<Value>> {
        Ok(None)
    }

    async fn report(&self, _: &Tenant, _: RequestId) -> Stored<Option<Report>> {
        Ok(None)
    }

    async fn metadata(&self, _: &Tenant, id: RequestId) -> Stored<Option<Entries>> {
        self.answer().await;
        Ok(self.metadata.lock().unwrap().get(&id).cloned())
    }

    async fn set_metadata(&self, _: &Tenant, id: RequestId, _: Option<u32>, entries: &Entries, _: &Limits) -> Stored<Written> {
        self.expect_start(id);
        self.answer().await;
        let mut all = self.metadata.lock().unwrap();
        let merged = all.remove(&id).unwrap_or_default().into_iter().chain(entries.clone()).collect();
        all.insert(id, merged);
        self.reached.add_permits(1);
        Ok(Written::Stored)
    }

    async fn children(&self, _: &Tenant, _: RequestId) -> Stored<Vec<RequestId>> {
        self.answer().await;
        Ok(self.children.lock().unwrap().clone())
    }

    async fn open(&self, _after: Timestamp, _until: Timestamp, _most: usize) -> Result<Vec<OpenResult>, StoreError> {
        unreachable!("nobody looks for lost requests")
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn wait(&self, _: &Tenant, _: &[RequestId], _: WaitMode) -> Stored<Vec<Option<RequestResult>>> {
        self.never().await;
        Ok(Vec::new())
    }
}

#[async_trait]
impl ModuleStore for Memory {
    async fn put(&self, digest: &Digest, bytes: &[u8]) -> Stored<()> {
        self.modules.lock().unwrap().insert(*digest, bytes.to_vec());
        Ok(())
    }

    async fn get(&self, digest: &Digest) -> Stored<Option<Vec<u8>>> {
        *self.fetches.lock().unwrap() += 1;
        if let Some(text) = self.outage.lock().unwrap().clone() {
            return Err(StoreError::Unavailable(text));
        }
        match self.modules.lock().unwrap().get(digest).cloned() {
            Some(bytes) if Digest::of(&bytes) != *digest => Err(StoreError::Malformed(format!("module {digest}"))),
            found => Ok(found),
        }
    }

    async fn generation(&self) -> Stored<u64> {
        Ok(0)
    }

    async fn serving(&self, tenants: &[Tenant]) -> Stored<Vec<Serving>> {
        Ok(tenants.iter().map(|_| Serving::new()).collect())
    }

    async fn index(&self, _: &Tenant) -> Stored<IndexSnapshot> {
        Ok(IndexSnapshot::default())
    }

    async fn replace_index(&self, _: &Tenant, _: u64, _: &ModuleIndex) -> Stored<bool> {
        Ok(true)
    }
}

/// One sandbox with what it reaches.
pub(crate) struct World {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) memory: Arc<Memory>,
    /// Whether every attempt runs in a process of its tenant's.
    in_processes: bool,
}

/// One run to make.
pub(crate) struct Run {
    pub(crate) module: Vec<u8>,
    pub(crate) task: &'static str,
    pub(crate) tenant: Tenant,
    pub(crate) limits: Limits,
    pub(crate) deadline: Option<Duration>,
    pub(crate) stop: Stop,
    pub(crate) args: Vec<Json>,
    pub(crate) metadata: Entries,
    pub(crate) isolation: Isolation,
    pub(crate) grants: Grants,
}

impl Run {
    /// A run of this guest with default limits.
    pub(crate) fn of(guest: &Guest<'_>) -> Self {
        Self::of_module(guest.build())
    }

    /// A run of the task `t` of this component.
    pub(crate) fn of_module(module: Vec<u8>) -> Self {
        let (tenant, args) = (Tenant::default(), vec![json("[1,2.0,\"drei\"]")]);
        let (limits, stop, metadata) = (Limits::default(), Stop::new(), Entries::new());
        Self { module, task: "t", tenant, limits, deadline: None, stop, args, metadata, isolation: Isolation::Shared, grants: grants() }
    }

    /// The same, in a process of the tenant's own.
    pub(crate) fn in_a_process(self) -> Self {
        Self { isolation: Isolation::Process, ..self }
    }

    /// The same within these limits.
    pub(crate) fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

/// Every host over TLS, and a value to read.
fn grants() -> Grants {
    let config = TenantConfig { values: [("k".to_owned(), "v".repeat(10_000))].into(), ..TenantConfig::default() };
    let rules = HttpRules::new(vec!["https://*".parse().unwrap()]).unwrap();
    Grants { http: rules.into(), config: config.open(&Tenant::default(), None).unwrap().into() }
}

/// JSON of a test.
pub(crate) fn json(text: &str) -> Json {
    Json::parse(text, 1 << 30).unwrap()
}

impl World {
    /// A sandbox for a few guests.
    pub(crate) fn new() -> Self {
        Self::with(&EngineSettings { max_instances: 16, ..Self::settings() })
    }

    /// The same, where every attempt runs in a process of its tenant's.
    pub(crate) fn of_processes() -> Self {
        Self { in_processes: true, ..Self::new() }
    }

    /// Settings whose processes are those of the tests.
    pub(crate) fn settings() -> EngineSettings {
        let processes = ProcessSettings { program: env!("CARGO_BIN_EXE_mogbox-cell").into(), ..ProcessSettings::default() };
        EngineSettings { processes, ..EngineSettings::default() }
    }

    /// A sandbox with these settings.
    pub(crate) fn with(settings: &EngineSettings) -> Self {
        Self::try_with(settings).unwrap()
    }

    /// The same, or why there is none.
    pub(crate) fn try_with(settings: &EngineSettings) -> Result<Self, String> {
        let memory = Arc::new(Memory {
            metadata: Mutex::default(),
            children: Mutex::default(),
            modules: Mutex::default(),
            state: Mutex::default(),
            started: Mutex::default(),
            reached: Semaphore::new(0),
            parted: Semaphore::new(0),
            outage: Mutex::default(),
            fetches: Mutex::default(),
            hangs: AtomicBool::new(false),
        });
        let sandbox = Sandbox::start(settings, Arc::clone(&memory) as Arc<dyn ModuleStore>).map_err(|error| error.to_string())?;
        Ok(Self { sandbox: Arc::new(sandbox), memory, in_processes: false })
    }

    /// Runs to the end.
    pub(crate) async fn run(&self, run: Run) -> Execution {
        self.start(run).await.unwrap()
    }

    /// Starts a run on a task of its own.
    pub(crate) fn start(&self, run: Run) -> tokio::task::JoinHandle<Execution> {
        self.start_attempt(self.attempt(run))
    }

    /// Starts an attempt on a task of its own.
    pub(crate) fn start_attempt(&self, attempt: Attempt) -> tokio::task::JoinHandle<Execution> {
        let sandbox = Arc::clone(&self.sandbox);
        tokio::spawn(async move { sandbox.execute(attempt).await })
    }

    /// An attempt whose module is in the store, and whose result has its metadata.
    pub(crate) fn attempt(&self, run: Run) -> Attempt {
        let module = self.push(&run.module);
        self.attempt_of(module, run)
    }

    /// Puts a module into the store.
    pub(crate) fn push(&self, module: &[u8]) -> Digest {
        let digest = Digest::of(module);
        self.memory.modules.lock().unwrap().insert(digest, module.to_vec());
        digest
    }

    /// An attempt of a module that is in the store already.
    pub(crate) fn attempt_of(&self, module: Digest, run: Run) -> Attempt {
        let mut request = Request::new(run.task.parse().unwrap());
        (request.args, request.metadata) = (run.args, run.metadata);
        self.memory.metadata.lock().unwrap().insert(request.id, request.metadata.clone());
        let mut terms = Terms::ordinary(run.limits, Arc::default());
        terms.isolation = if self.in_processes { Isolation::Process } else { run.isolation };
        terms.grants = run.grants;
        let identity = AttemptIdentity {
            lease: Lease { tenant: run.tenant, queue: QueueName::default(), id: request.id, fence: 1 },
            request: Arc::new(request),
            terms: Arc::new(terms),
            stop: run.stop,
            at: Timestamp::now(),
            deadline: run.deadline,
        };
        let context = Arc::new(TaskContext::new(self.services(), identity));
        Attempt { module, context }
    }

    fn services(&self) -> Services {
        let results: Arc<dyn ResultStore> = Arc::clone(&self.memory) as _;
        let submitter = Submitter::new(Arc::new(InTurn::new(Arc::clone(&results), Arc::clone(&self.memory) as _)), Limits::default());
        Services {
            recorder: Recorder::start(Arc::clone(&results)),
            results,
            state: Arc::clone(&self.memory) as _,
            submitter: Arc::new(submitter),
            capacity: Capacity::new(16),
            broker: Arc::clone(&self.memory) as _,
            meter: Arc::default(),
            fetch: Arc::new(web::Parting(Arc::clone(&self.memory))),
            node_id: NodeId::random(),
        }
    }

    /// Waits until a guest has reached the store.
    pub(crate) async fn reached(&self) {
        self.memory.reached.acquire().await.unwrap().forget();
    }

    /// Waits until an attempt has let go of all that it reached.
    pub(crate) async fn parted(&self) {
        self.memory.parted.acquire().await.unwrap().forget();
    }

    /// The metadata of the only result that has some.
    pub(crate) fn stored_metadata(&self) -> Entries {
        self.memory.metadata.lock().unwrap().values().find(|entries| !entries.is_empty()).cloned().unwrap_or_default()
    }

    /// After something hostile: the same sandbox serves a good request, and nothing of the other run is left.
    pub(crate) async fn still_serves(&self) {
        let execution = self.run(Run::of(&Guest::default())).await;
        assert_eq!(execution.outcome, Outcome::Success(json("[1,2.0,\"drei\"]")));
        assert!(execution.log.is_empty());
    }

    /// Runs something hostile and then something good.
    pub(crate) async fn survives(&self, run: Run) -> Execution {
        let execution = self.run(run).await;
        self.still_serves().await;
        execution
    }
}
