//! Compiled modules by digest. Each is compiled once however many attempts wait for it, few at a time, on threads of their own;
//! the least recently used go first. Compiled code lives in this process only: none is ever read from outside.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use mogbox_core::{Digest, ModuleStore};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::bindings::TaskPre;
use crate::engine::EngineSettings;
use crate::guest::Guest;
use crate::linker::link;

/// A module that is ready to be instantiated.
pub(crate) type Ready = Arc<TaskPre<Guest>>;

/// A module, or why it is not there.
type Loaded = Result<Ready, Arc<str>>;

/// The modules of a process.
pub(crate) struct ModuleCache {
    engine: Engine,
    linker: Linker<Guest>,
    store: Arc<dyn ModuleStore>,
    compilations: Arc<Semaphore>,
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
    pub(crate) fn new(engine: &Engine, linker: Linker<Guest>, store: Arc<dyn ModuleStore>, settings: &EngineSettings) -> Arc<Self> {
        Arc::new(Self {
            engine: engine.clone(),
            linker,
            store,
            compilations: Arc::new(Semaphore::new(settings.compilations)),
            max_modules: settings.cached_modules,
            max_bytes: settings.cached_bytes,
            slots: Mutex::default(),
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linker(&self) -> &Linker<Guest> {
        &self.linker
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
            let crashed = |_| Err(format!("loading module {digest} crashed"));
            let loaded = AssertUnwindSafe(self.fetch_and_compile(digest)).catch_unwind().await.unwrap_or_else(crashed);
            self.slots().loading.remove(&digest);
            loaded.map(|component| self.keep(digest, &component.0, component.1)).map_err(Arc::from)
        });
        task.map(|joined| joined.unwrap_or_else(|error| Err(error.to_string().into()))).boxed().shared()
    }

    async fn fetch_and_compile(&self, digest: Digest) -> Result<(Component, TaskPre<Guest>), String> {
        let found = self.store.get(&digest).await.map_err(|error| error.to_string())?;
        let bytes = found.ok_or_else(|| format!("module {digest} is not in the store"))?;
        if Digest::of(&bytes) != digest {
            return Err(format!("the stored bytes of module {digest} are not those that were uploaded"));
        }
        let component = self.compile(bytes.into()).await?;
        let linked = link(&self.linker, &component).map_err(|error| format!("{error:#}"))?;
        Ok((component, linked))
    }

    /// Compiles on a thread of its own, once fewer than the allowed number do.
    pub(crate) async fn compile(&self, bytes: Arc<[u8]>) -> Result<Component, String> {
        let permit = Arc::clone(&self.compilations).acquire_owned().await.map_err(|error| error.to_string())?;
        let engine = self.engine.clone();
        let compiling = tokio::task::spawn_blocking(move || {
            let compiled = Component::from_binary(&engine, &bytes);
            drop(permit);
            let component = compiled?;
            component.initialize_copy_on_write_image()?;
            Ok::<_, wasmtime::Error>(component)
        });
        match compiling.await {
            Ok(compiled) => compiled.map_err(|error| format!("{error:#}")),
            Err(_) => Err("the compiler crashed".into()),
        }
    }

    /// Keeps a module, and lets go of the least recently used ones beyond the bounds.
    pub(crate) fn keep(&self, digest: Digest, component: &Component, linked: TaskPre<Guest>) -> Ready {
        let module = Arc::new(linked);
        let code = component.image_range();
        let bytes = (code.end as usize).saturating_sub(code.start as usize);
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
