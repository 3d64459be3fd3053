//! Where the guest runs: a real sandbox on the embedded stores, in a folder of its own, with a client that finishes its children.

use std::cell::{Cell, Ref, RefCell};
use std::sync::Arc;

use jiff::Timestamp;
use mogbox_backends::embedded::EmbeddedModules;
use mogbox_core::context::{AttemptIdentity, Services};
use mogbox_core::executor::StopReason;
use mogbox_core::intake::InTurn;
use mogbox_core::module::Inspection;
use mogbox_core::outcome::Failure;
use mogbox_core::outgoing::NoFetch;
use mogbox_core::submit::Submitter;
use mogbox_core::worker::capacity::Capacity;
use mogbox_core::worker::recorder::Recorder;
use mogbox_core::{
    Attempt, Bound, Digest, Entries, Execution, Executor, Json, Lease, Limits, ModuleStore, NodeId, Outcome, QueueName, Rejected, Request,
    RequestId, Stop, TaskContext, Tenant, Terms,
};
use mogbox_runtime::{EngineSettings, Sandbox};
use tokio::runtime::Runtime;

use super::guest::{Import, guest};
use super::program::Program;
use stores::Stores;

mod stores;

/// Attempts after which the stores begin anew, so that what grows is a finding and not the data.
const ATTEMPTS_A_STORE: u32 = 500;

/// Milliseconds that a program gets: it may wait for what never comes.
const WALL_TIME: u64 = 200;

/// Bytes that a crash is told in.
const LONGEST_CRASH: usize = 8 << 10;

/// Tight, so that programs reach every bound.
fn limits() -> Limits {
    Limits {
        memory: 4 << 20,
        host_calls: 400,
        host_bytes: 1 << 20,
        result: 16 << 10,
        arguments: 4 << 10,
        metadata_keys: 8,
        metadata: 4 << 10,
        state_keys: 8,
        state: 4 << 10,
        log_lines: 40,
        log: 4 << 10,
        children: 8,
        depth: 4,
        ..Limits::default()
    }
}

/// A sandbox with what it reaches.
pub(crate) struct World {
    runtime: Runtime,
    sandbox: Sandbox,
    guest: Digest,
    stores: RefCell<Stores>,
    attempts: Cell<u32>,
    /// Holds the module.
    _modules: Stores,
}

impl World {
    /// A world whose guest may call these functions.
    pub(crate) fn new(imports: &[Import]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let component = guest(imports);
        let digest = Digest::of(&component);
        let modules = Stores::open();
        let store: Arc<dyn ModuleStore> = Arc::new(EmbeddedModules::new(modules.database.clone()));
        runtime.block_on(store.put(&digest, &component)).expect("a module is stored");
        let sandbox = Sandbox::start(&EngineSettings { max_instances: 8, ..EngineSettings::default() }, store).expect("a sandbox");
        Self { runtime, sandbox, guest: digest, stores: RefCell::new(Stores::open()), attempts: Cell::new(0), _modules: modules }
    }

    /// Carries a program out and checks what became of it, and that the next attempt works.
    pub(super) fn check(&self, program: &Program, stop: Option<StopReason>) {
        let stores = self.stores();
        self.runtime.block_on(async {
            let hurried = Limits { wall_time: WALL_TIME, ..limits() };
            let (id, execution) = self.attempt(&stores, program, hurried, stop).await;
            check_execution(&execution);
            stores.check_bounds(id, &limits()).await;
            self.check_good(&stores).await;
        });
    }

    /// Looks at an upload, and checks that the next attempt works.
    pub(crate) fn inspect(&self, upload: Vec<u8>) -> Result<Inspection, Rejected> {
        let inspected = self.runtime.block_on(self.sandbox.inspect(upload.into(), &limits()));
        self.runtime.block_on(self.check_good(&self.stores()));
        inspected
    }

    /// The stores, anew after a while.
    fn stores(&self) -> Ref<'_, Stores> {
        if self.attempts.replace(self.attempts.get() + 1) % ATTEMPTS_A_STORE == ATTEMPTS_A_STORE - 1 {
            self.stores.replace(Stores::open());
        }
        self.stores.borrow()
    }

    async fn check_good(&self, stores: &Stores) {
        let (_, good) = self.attempt(stores, &Program::default(), limits(), None).await;
        assert_eq!(good.outcome, Outcome::Success(Json::parse("1", 1).expect("JSON")));
        assert!(good.log.is_empty() && good.receipt.host_calls == 0, "{good:?}");
    }

    async fn attempt(&self, stores: &Stores, program: &Program, limits: Limits, stop: Option<StopReason>) -> (RequestId, Execution) {
        let request = request(program);
        let id = request.id;
        let (tenant, node_id) = (Tenant::default(), NodeId::random());
        assert!(stores.results.create(&tenant, &request, Timestamp::now()).await.expect("a result is stored"));
        let attempt = self.compose(stores, request, limits, node_id);
        if let Some(reason) = stop {
            attempt.context.stop().ask(reason);
        }
        let execution = tokio::select! {
            execution = self.sandbox.execute(attempt) => execution,
            () = stores.finish_children() => unreachable!("children are finished for ever"),
        };
        (id, execution)
    }

    fn compose(&self, stores: &Stores, request: Request, limits: Limits, node_id: NodeId) -> Attempt {
        let services = Services {
            results: stores.results.clone(),
            recorder: Recorder::start(stores.results.clone()),
            state: stores.state.clone(),
            submitter: Arc::new(Submitter::new(Arc::new(InTurn::new(stores.results.clone(), stores.broker.clone())), limits.clone())),
            capacity: Capacity::new(1),
            broker: stores.broker.clone(),
            meter: Arc::default(),
            fetch: Arc::new(NoFetch),
            node_id,
        };
        let identity = AttemptIdentity {
            lease: Lease { tenant: Tenant::default(), queue: QueueName::default(), id: request.id, fence: 1 },
            request: Arc::new(request),
            terms: Arc::new(Terms::ordinary(limits, Arc::default())),
            stop: Stop::new(),
            at: Timestamp::now(),
            deadline: None,
        };
        let context = Arc::new(TaskContext::new(services, identity));
        Attempt { module: self.guest, context }
    }
}

fn request(program: &Program) -> Request {
    let mut request = Request::new("t".parse().expect("a name"));
    request.args = vec![Json::string(&program.digits())];
    request.metadata = Entries::from_iter([("k0".to_owned(), Json::null())]);
    request.stack = vec![RequestId::random()];
    request
}

/// Every attempt has an outcome that is the guest's own doing, and used no more than it may.
fn check_execution(execution: &Execution) {
    let (limits, receipt) = (limits(), &execution.receipt);
    let own_doing = !matches!(execution.outcome, Outcome::Unavailable(_) | Outcome::DeadlinePassed);
    assert!(own_doing, "{:?}", execution.outcome);
    assert!(execution.log.len() <= limits.length(Bound::LogLines), "{} lines", execution.log.len());
    let logged: usize = execution.log.iter().map(|line| line.message.len() + line.fields.size()).sum();
    assert!(logged <= limits.length(Bound::Log), "{logged} bytes are logged");
    assert!(receipt.host_calls <= limits.host_calls + 1, "{} calls", receipt.host_calls);
    assert!(receipt.peak_memory <= limits.memory, "{} bytes of memory", receipt.peak_memory);
    let (said, most) = match &execution.outcome {
        Outcome::Success(value) => (value.size(), limits.length(Bound::Result)),
        Outcome::Failed(Failure { kind, message, details }) => {
            (kind.len() + message.len() + details.as_ref().map_or(0, Json::size), limits.length(Bound::Result))
        }
        Outcome::InvalidArguments(errors) => {
            (errors.iter().map(|error| error.argument.len() + error.message.len()).sum(), limits.length(Bound::Result))
        }
        Outcome::Retry { message, .. } => (message.len(), limits.length(Bound::Result)),
        Outcome::Trapped { class, message } => (class.len() + message.len(), LONGEST_CRASH),
        _ => (0, 0),
    };
    assert!(said <= most, "{said} bytes, at most {most}: {:?}", execution.outcome);
}
