//! Compiled modules by digest. Each is compiled once however many attempts wait for it, few at a time, on threads of their own;
//! the least recently used go first. Code that was compiled elsewhere is never loaded, but for what the folder of artifacts vouches for.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use mogbox_core::{Digest, ModuleStore, Outcome, StoreError};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::artifacts::Artifacts;
use crate::bindings::TaskPre;
use crate::compiler::CompilerSettings;
use crate::compiler::workshop::Workshop;
use crate::engine::{EngineError, EngineSettings};
use crate::guest::Guest;
use crate::linker::link;
use crate::trap::{for_people, is_of_the_machine};
use crate::turns::Pace;

/// A module that is ready to be instantiated.
pub(crate) type Ready = Arc<Linked>;

/// What attempts start from, and how long they took at a time of late.
pub(crate) struct Linked {
    pub(crate) task: TaskPre<Guest>,
    pub(crate) pace: Arc<Pace>,
}

impl Linked {
    pub(crate) fn new(task: TaskPre<Guest>) -> Ready {
        Arc::new(Self { task, pace: Pace::unknown() })
    }
}

/// The class of an attempt whose module can never run.
const BROKEN_MODULE: &str = "module";

/// Time to wait for the compilation of other modules.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Bytes of the text that says why a module is not there.
const MAX_REASON: usize = 2 << 10;

/// Why a module is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotLoaded {
    /// It is lost, damaged or does not compile: trying again would find the same.
    Broken(Arc<str>),
    /// The store or the machine does not give what it takes: trying again may help.
    Unavailable(Arc<str>),
}

impl NotLoaded {
    fn broken(digest: Digest, what: &str) -> Self {
        Self::Broken(format!("{}; push module {digest} again", for_people(what, MAX_REASON)).into())
    }

    fn unavailable(error: &dyn std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string().into())
    }

    /// The outcome of an attempt that needed the module.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Broken(text) => Outcome::Trapped { class: BROKEN_MODULE.into(), message: text.to_string() },
            Self::Unavailable(text) => Outcome::Unavailable(text.to_string()),
        }
    }
}

/// Why bytes did not become a component.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCompiled {
    /// They never will.
    #[error("{0}")]
    Invalid(String),
    /// The machine refused what it takes, or has no time for it.
    #[error("{0}")]
    Refused(String),
}

impl NotCompiled {
    pub(crate) fn of(error: &wasmtime::Error) -> Self {
        let text = format!("{error:#}");
        if is_of_the_machine(error) { Self::Refused(text) } else { Self::Invalid(text) }
    }
}

/// A component that can be linked.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    /// Whether it was compiled before.
    pub(crate) earlier: bool,
}

/// Bytes of machine code and what belongs to it.
pub(crate) fn code_size(component: &Component) -> usize {
    let code = component.image_range();
    (code.end as usize).saturating_sub(code.start as usize)
}

/// A module, or why it is not there.
type Loaded = Result<Ready, NotLoaded>;

/// The modules of a process.
pub(crate) struct ModuleCache {
    engine: Engine,
    linker: Linker<Guest>,
    store: Arc<dyn ModuleStore>,
    artifacts: Option<Arc<Artifacts>>,
    compiler: Option<CompilerSettings>,
    compilations: Arc<Semaphore>,
    compiled: AtomicU64,
    max_modules: usize,
    max_bytes: usize,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    ready: HashMap<Digest, Slot>,
    loading: HashMap<Digest, Shared<BoxFuture<'static, Loaded>>>,
    bytes: usize,
    uses: u64,
}

struct Slot {
    module: Ready,
    bytes: usize,
    last_use: u64,
}

impl ModuleCache {
    /// No module yet.
    ///
    /// # Errors
    /// Where compiled modules cannot be kept in the folder of the settings.
    pub(crate) fn open(
        engine: &Engine,
        linker: Linker<Guest>,
        store: Arc<dyn ModuleStore>,
        settings: &EngineSettings,
    ) -> Result<Arc<Self>, EngineError> {
        let open = |folder: &PathBuf| match Artifacts::open(engine, folder, settings.artifact_bytes) {
            Ok(artifacts) => Ok(Arc::new(artifacts)),
            Err(error) => Err(EngineError::Artifacts { folder: folder.clone(), error }),
        };
        Ok(Arc::new(Self {
            engine: engine.clone(),
            linker,
            store,
            artifacts: settings.artifacts.as_ref().map(open).transpose()?,
            compiler: settings.compiler.clone(),
            compilations: Arc::new(Semaphore::new(settings.compilations)),
            compiled: AtomicU64::new(0),
            max_modules: settings.cached_modules,
            max_bytes: settings.cached_bytes,
            slots: Mutex::default(),
        }))
    }

    /// How many modules were compiled so far.
    pub(crate) fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linker(&self) -> &Linker<Guest> {
        &self.linker
    }

    /// A module that is kept.
    pub(crate) fn kept(&self, digest: &Digest) -> Option<Ready> {
        self.slots().used(digest)
    }

    /// A module that is kept, or fetched and compiled now. Loading goes on where the caller does not wait for its end.
    pub(crate) async fn load(self: &Arc<Self>, digest: Digest) -> Loaded {
        let loading = {
            let mut slots = self.slots();
            if let Some(module) = slots.used(&digest) {
                return Ok(module);
            }
            slots.loading.entry(digest).or_insert_with(|| Arc::clone(self).start_loading(digest)).clone()
        };
        loading.await
    }

    fn start_loading(self: Arc<Self>, digest: Digest) -> Shared<BoxFuture<'static, Loaded>> {
        let task = tokio::spawn(async move {
            let crashed = |_| Err(NotLoaded::unavailable(&format_args!("loading module {digest} crashed")));
            let loaded = AssertUnwindSafe(self.fetch_and_compile(digest)).catch_unwind().await.unwrap_or_else(crashed);
            self.slots().loading.remove(&digest);
            loaded.map(|(component, linked)| self.keep(digest, &component, linked))
        });
        task.map(|joined| joined.unwrap_or_else(|error| Err(NotLoaded::unavailable(&error)))).boxed().shared()
    }

    async fn fetch_and_compile(&self, digest: Digest) -> Result<(Component, TaskPre<Guest>), NotLoaded> {
        let broken = |what: &str| NotLoaded::broken(digest, what);
        let component = match self.compiled_earlier(digest).await {
            Some(component) => component,
            None => self.compile(digest, self.fetch(digest).await?.into()).await.map_err(|error| match error {
                NotCompiled::Invalid(text) => broken(&format!("the stored module does not compile: {text}")),
                NotCompiled::Refused(_) => NotLoaded::unavailable(&error),
            })?,
        };
        let linked = link(&self.linker, &component).map_err(|error| broken(&format!("the stored module does not link: {error:#}")))?;
        Ok((component, linked))
    }

    /// The store answers with bytes of this digest or, where they are not, that they are malformed: they are not hashed here again.
    async fn fetch(&self, digest: Digest) -> Result<Vec<u8>, NotLoaded> {
        match self.store.get(&digest).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(NotLoaded::broken(digest, "the bytes of the module are gone from the store")),
            Err(StoreError::Malformed(_)) => Err(NotLoaded::broken(digest, "the stored bytes are not those of the module that was pushed")),
            Err(error @ StoreError::Unavailable(_)) => Err(NotLoaded::unavailable(&error)),
        }
    }

    /// A module that is on disk, or compiled now.
    pub(crate) async fn component(&self, digest: Digest, bytes: Arc<[u8]>) -> Result<Compiled, NotCompiled> {
        match self.compiled_earlier(digest).await {
            Some(component) => Ok(Compiled { component, earlier: true }),
            None => Ok(Compiled { component: self.compile(digest, bytes).await?, earlier: false }),
        }
    }

    async fn compiled_earlier(&self, digest: Digest) -> Option<Component> {
        let (artifacts, engine) = (Arc::clone(self.artifacts.as_ref()?), self.engine.clone());
        let loading = tokio::task::spawn_blocking(move || {
            let component = artifacts.load(&engine, &digest)?;
            component.initialize_copy_on_write_image().ok()?;
            Some(component)
        });
        loading.await.ok()?
    }

    /// Compiles once fewer than the allowed number do, and keeps what comes out on disk.
    async fn compile(&self, digest: Digest, bytes: Arc<[u8]>) -> Result<Component, NotCompiled> {
        let refused = |error: &dyn std::fmt::Display| NotCompiled::Refused(error.to_string());
        let waiting = tokio::time::timeout(MAX_WAIT, Arc::clone(&self.compilations).acquire_owned()).await;
        let late = |_| NotCompiled::Refused(format!("it has compiled other modules for the last {} s", MAX_WAIT.as_secs()));
        let permit = waiting.map_err(late)?.map_err(|error| refused(&error))?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let (done, compiled) = tokio::sync::oneshot::channel();
        let workshop = Workshop { engine: self.engine.clone(), compiler: self.compiler.clone(), artifacts: self.artifacts.clone() };
        // A thread of its own, which nobody waits for when the node ends: the child process ends with it.
        let thread = std::thread::Builder::new().name("compiler".into()).spawn(move || {
            let component = workshop.make(&digest, &bytes);
            drop(permit);
            // Whoever asked for it may be gone.
            done.send(component).ok();
        });
        thread.map_err(|error| refused(&error))?;
        compiled.await.unwrap_or_else(|_| Err(NotCompiled::Invalid("the compiler crashed".into())))
    }

    /// Keeps a module, and lets go of the least recently used ones beyond the bounds.
    pub(crate) fn keep(&self, digest: Digest, component: &Component, linked: TaskPre<Guest>) -> Ready {
        let module = Linked::new(linked);
        let bytes = code_size(component);
        let mut slots = self.slots();
        slots.insert(digest, Arc::clone(&module), bytes);
        while slots.ready.len() > self.max_modules || (slots.bytes > self.max_bytes && slots.ready.len() > 1) {
            slots.remove_least_recently_used();
        }
        module
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // A panic elsewhere leaves the map whole: at worst a count of bytes is off by one module.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn used(&mut self, digest: &Digest) -> Option<Ready> {
        self.uses += 1;
        let slot = self.ready.get_mut(digest)?;
        slot.last_use = self.uses;
        Some(Arc::clone(&slot.module))
    }

    fn insert(&mut self, digest: Digest, module: Ready, bytes: usize) {
        self.uses += 1;
        let slot = Slot { module, bytes, last_use: self.uses };
        let replaced = self.ready.insert(digest, slot).map_or(0, |old| old.bytes);
        self.bytes = self.bytes.saturating_sub(replaced).saturating_add(bytes);
    }

    fn remove_least_recently_used(&mut self) {
        let oldest = self.ready.iter().min_by_key(|(_, slot)| slot.last_use).map(|(digest, _)| *digest);
        if let Some(slot) = oldest.and_then(|digest| self.ready.remove(&digest)) {
            self.bytes = self.bytes.saturating_sub(slot.bytes);
        }
    }
}
