//! What one sandbox holds beside the guest's own memory: what it may reach, what it used, what it logged. Dropped with it.

use std::sync::Arc;

use mogbox_core::limits::{Bound, Limits};
use mogbox_core::{ContextError, HostCalls};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtxView;

use crate::aside::Aside;
use crate::ends::CpuMeter;
use crate::host::outgoing::Http;
use crate::journal::SharedJournal;
use crate::memory::MemoryMeter;
use crate::output::{Output, Source};
use crate::places::Place;
use crate::usage::Usage;

/// Handles that a guest may hold at once: streams, timers, errors.
const MAX_HANDLES: usize = 1_000;

/// Random bytes of one call, which holds its thread until it has them.
const MAX_RANDOM: u64 = 256 << 10;

/// The data of a sandbox.
pub(crate) struct Guest {
    /// Made with the first call of WASI: most tasks make none.
    wasi: Option<Box<Wasi>>,
    pub(crate) world: World,
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryMeter,
    pub(crate) usage: Usage,
    pub(crate) cpu: CpuMeter,
    pub(crate) journal: SharedJournal,
    aside: Aside,
    place: Arc<Place>,
}

/// What host calls reach.
pub(crate) enum World {
    /// A request is served: the attempt's view of the world.
    Attempt(Arc<dyn HostCalls>),
    /// The module is asked what it serves: there is nothing to reach.
    Describe,
}

impl Guest {
    pub(crate) fn new(world: World, limits: &Limits, place: Arc<Place>) -> Self {
        Self {
            wasi: None,
            world,
            limits: limits.clone(),
            aside: place.aside().clone(),
            place: Arc::clone(&place),
            memory: MemoryMeter::new(limits.length(Bound::Memory), place),
            usage: Usage::new(limits),
            cpu: CpuMeter::new(limits.duration(Bound::CpuTime)),
            journal: SharedJournal::new(limits),
        }
    }

    /// Checks what the guest said, so many bytes of it, within its bounds. Its time counts as the guest's own, wherever it was spent.
    pub(crate) async fn checked<T: Send + 'static>(
        &mut self,
        bytes: usize,
        check: impl FnOnce(&Limits) -> Result<T, ContextError> + Send + 'static,
    ) -> Result<T, ContextError> {
        let limits = self.limits.clone();
        let Some((checked, used)) = self.aside.work(bytes, move || check(&limits)).await else {
            return Err(ContextError::Unavailable("what was said could not be checked".into()));
        };
        self.cpu.add(used);
        checked
    }

    /// The attempt's view of the world, where there is one.
    pub(crate) fn context(&self) -> Result<Arc<dyn HostCalls>, ContextError> {
        match &self.world {
            World::Attempt(context) => Ok(Arc::clone(context)),
            World::Describe => Err(ContextError::Denied("describe may not call the host: no request runs".into())),
        }
    }

    /// What WASI's HTTP works on. Only rules of the tenant's let a request out.
    pub(crate) fn http_view(&mut self) -> WasiHttpCtxView<'_> {
        let Wasi { handles, http, .. } = self.wasi();
        WasiHttpCtxView { hooks: &mut http.sender, table: handles, ctx: &mut http.context }
    }

    /// Counts a call of WASI.
    fn wasi(&mut self) -> &mut Wasi {
        self.usage.count_wasi_call();
        let context = match &self.world {
            World::Attempt(context) => Some(context),
            World::Describe => None,
        };
        let http = || Http::new(context, &self.journal, &self.place);
        self.wasi.get_or_insert_with(|| Box::new(Wasi::nothing_granted(&self.journal, http())))
    }

    /// The bound on host calls that is passed, also by calls that cannot end the attempt themselves.
    pub(crate) fn passed_bound(&self) -> Option<Bound> {
        self.usage.passed(self.journal.piped())
    }
}

/// WASI with no files, environment, arguments, network or names; output goes to the journal.
struct Wasi {
    context: WasiCtx,
    handles: ResourceTable,
    http: Http,
}

impl Wasi {
    fn nothing_granted(journal: &SharedJournal, http: Http) -> Self {
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(MAX_HANDLES);
        let context = WasiCtx::builder()
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(MAX_RANDOM)
            .stdout(Output::new(journal, Source::Output))
            .stderr(Output::new(journal, Source::Error))
            .build();
        Self { context, handles, http }
    }
}

impl WasiView for Guest {
    /// Called for each WASI call, which is how these are counted.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.handles }
    }
}
