//! One cell, as the node sees it: what is sent to it, who waits for what it says, and its end. Whatever it says that makes no sense ends it.

mod life;

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mogbox_core::{Digest, Limits, Outcome, StopReason};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ProcessSettings;
use super::starter::Starter;
use crate::inside::CellSettings;
use crate::link::{self, Call, End, MAX_TO_CELL, Start, ToCell};
use crate::places::Place;
use crate::trap::for_people;

/// The class of an attempt whose process ended.
const CLASS: &str = "process";

/// Modules that a cell keeps, beside those that run in it.
const MODULES: usize = 32;

/// Bytes of what a process says on standard error that are looked at, and of the reason why one is gone.
const MAX_REASON: usize = 1 << 10;

/// One cell.
pub(crate) struct Cell {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    inner: Mutex<Inner>,
    /// The largest frame that is heard, as its attempts' bounds have it.
    most: AtomicUsize,
    /// Its bound on memory is made for attempts that may have so much.
    memory: u64,
    process: OnceLock<u32>,
    next: AtomicU64,
    kill: CancellationToken,
    keep: Duration,
    grace: Duration,
}

#[derive(Default)]
struct Inner {
    attempts: HashMap<u64, Running>,
    /// Those that were sent, the most recently used last.
    modules: VecDeque<Digest>,
    ready: bool,
    gone: Option<Gone>,
    idle_since: Option<Instant>,
}

/// An attempt that runs in a cell. It holds its place until the cell says that it has ended.
struct Running {
    events: mpsc::Sender<Event>,
    module: Digest,
    _place: Arc<Place>,
    /// When nobody waited for its end any more.
    abandoned: Option<Instant>,
}

/// What a cell says of an attempt.
pub(super) enum Event {
    Called(Call),
    Finished(Box<End>),
}

/// Why a cell is gone.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    /// Whether it could have run anything by then.
    after_start: bool,
    text: Arc<str>,
}

impl Gone {
    /// How its attempts ended.
    pub(super) fn outcome(&self) -> Outcome {
        let text = self.text.to_string();
        match self.after_start {
            true => Outcome::Trapped { class: CLASS.into(), message: text },
            false => Outcome::Unavailable(text),
        }
    }
}

impl Cell {
    /// Starts a cell. It may be spoken to at once: it hears it when it is there.
    pub(super) fn start(settings: &ProcessSettings, starter: &Starter, cell: &CellSettings, limits: &Limits) -> Result<Arc<Self>, String> {
        let error = |error: &dyn std::fmt::Display| format!("cannot start a process for attempts: {error}");
        let argument = serde_json::to_string(cell).map_err(|cause| error(&cause))?;
        let (ours, theirs) = StdStream::pair().map_err(|cause| error(&cause))?;
        ours.set_nonblocking(true).map_err(|cause| error(&cause))?;
        let socket = UnixStream::from_std(ours).map_err(|cause| error(&cause))?;
        let process = starter.start(argument.into(), OwnedFd::from(theirs));
        let (outgoing, frames) = mpsc::unbounded_channel();
        let started = Arc::new(Self {
            outgoing,
            inner: Mutex::new(Inner { idle_since: Some(Instant::now()), ..Inner::default() }),
            most: AtomicUsize::new(link::most_from_cell(limits)),
            memory: limits.memory,
            process: OnceLock::new(),
            next: AtomicU64::new(1),
            kill: CancellationToken::new(),
            keep: settings.keep,
            grace: settings.grace,
        });
        tokio::spawn(Arc::clone(&started).live(socket, frames, process));
        Ok(started)
    }

    /// Attempts that run in it.
    pub(super) fn running(&self) -> usize {
        self.inner().attempts.len()
    }

    /// Whether an attempt with these bounds may run in it.
    pub(super) fn fits(&self, limits: &Limits) -> bool {
        limits.memory <= self.memory
    }

    pub(super) fn is_gone(&self) -> bool {
        self.inner().gone.is_some()
    }

    /// Since when it has had nothing to do, where it has nothing.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.inner().idle_since
    }

    /// Ends it, unless an attempt runs in it.
    pub(super) fn retire(&self) -> bool {
        let mut inner = self.inner();
        let idle = inner.attempts.is_empty();
        if idle {
            inner.gone.get_or_insert_with(|| Gone { after_start: false, text: "it had nothing to do".into() });
            self.kill.cancel();
        }
        idle
    }

    /// Ends it, with all that runs in it, for what it did.
    pub(super) fn condemn(&self, why: &str) {
        let text = for_people(&format!("the sandbox process was ended: {why}"), MAX_REASON);
        tracing::warn!(process = self.process.get(), why, "a sandbox process is ended with all of its attempts");
        let mut inner = self.inner();
        let after_start = inner.ready;
        inner.gone.get_or_insert_with(|| Gone { after_start, text: text.into() });
        self.kill.cancel();
    }

    /// CPU time that its process used so far, where the system says.
    #[cfg(target_os = "linux")]
    pub(super) fn cpu(&self) -> Option<Duration> {
        let pid = i32::try_from(*self.process.get()?).ok()?;
        let clock = nix::time::ClockId::pid_cpu_clock_id(nix::unistd::Pid::from_raw(pid)).ok()?;
        Some(Duration::from(clock.now().ok()?))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn cpu(&self) -> Option<Duration> {
        None
    }

    /// Starts an attempt: sends its module where that is not there yet, then says what to run.
    pub(super) fn begin(
        &self,
        mut start: Start,
        code: impl FnOnce() -> Result<Vec<u8>, String>,
        place: Arc<Place>,
    ) -> Result<(u64, mpsc::Receiver<Event>), Outcome> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (events, received) = mpsc::channel(2);
        let module = start.module;
        start.number = number;
        self.most.fetch_max(link::most_from_cell(&start.limits), Ordering::Relaxed);
        let mut inner = self.inner();
        if let Some(gone) = &inner.gone {
            return Err(Outcome::Unavailable(gone.text.to_string()));
        }
        let unavailable = |error: String| Outcome::Unavailable(error);
        match inner.modules.iter().position(|known| *known == module) {
            Some(at) => drop(inner.modules.remove(at)),
            None => {
                let code = code().map_err(unavailable)?;
                let frame =
                    link::module(&module, &code).ok_or_else(|| unavailable(format!("module {module} is too large for a process")))?;
                self.outgoing.send(frame).ok();
            }
        }
        inner.modules.push_back(module);
        self.forget_modules(&mut inner);
        let too_large = || unavailable("the request is too large for a process".into());
        self.outgoing.send(link::message(&ToCell::Start(Box::new(start)), MAX_TO_CELL).ok_or_else(too_large)?).ok();
        inner.idle_since = None;
        inner.attempts.insert(number, Running { events, module, _place: place, abandoned: None });
        Ok((number, received))
    }

    fn forget_modules(&self, inner: &mut Inner) {
        while inner.modules.len() > MODULES {
            let runs = |module: &Digest| inner.attempts.values().any(|running| running.module == *module);
            let Some(at) = inner.modules.iter().position(|module| !runs(module)) else { return };
            if let Some(module) = inner.modules.remove(at) {
                self.say(&ToCell::Forget { module });
            }
        }
    }

    /// Says something; where that is too long for a frame, nothing.
    pub(super) fn say(&self, message: &ToCell) -> bool {
        let Some(frame) = link::message(message, MAX_TO_CELL) else { return false };
        // Whoever waits for an answer of a cell that is gone is told otherwise.
        self.outgoing.send(frame).ok();
        true
    }

    /// Nobody waits for the end of this attempt any more: it is made to end.
    pub(super) fn abandon(&self, number: u64) {
        if let Some(running) = self.inner().attempts.get_mut(&number) {
            running.abandoned = Some(Instant::now());
            self.say(&ToCell::Stop { number, reason: StopReason::LeaseLost, forced: true });
        }
    }

    /// Why it is gone, for those of whom it will say nothing more.
    pub(super) fn gone(&self) -> Outcome {
        let gone = self.inner().gone.clone();
        gone.unwrap_or_else(|| Gone { after_start: true, text: "the sandbox process is gone".into() }).outcome()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole before the lock is given back, even after a panic elsewhere.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
