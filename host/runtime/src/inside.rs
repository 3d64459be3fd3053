//! A cell from the inside: a process that runs attempts of one tenant and has nothing but a socket to the node, which is its standard
//! input. It is confined before it reads a byte from there. Knows no store, no broker and no file.

mod remote;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mogbox_core::{Bound, Digest, Execution, Facts, HostCalls, Json, Limits, Outcome, Request, Stop};
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Linker;

use self::remote::Remote;
use crate::artifacts;
use crate::attempt::run;
use crate::cache::{Linked, Ready};
use crate::confine::{Confinement, confine};
use crate::engine::{self, Allocation, EngineSettings};
use crate::guest::Guest;
use crate::link::{self, End, Ended, FromCell, HEAD, Kind, MAX_TO_CELL, Start, ToCell};
use crate::linker::{link as linked, linker};
use crate::places::Places;

/// Files that a cell has: the socket, and what stands for its output. Two more are open while it starts.
const OPEN_FILES: u64 = 8;

/// How much a cell leaves the node before.
const NICENESS: i32 = 1;

/// What a cell is told by the node that starts it, as its only argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CellSettings {
    /// The node's process.
    pub(crate) node: u32,
    /// Guests alive at once.
    pub(crate) guests: u32,
    /// Memory that it may write to, for all purposes. Bytes.
    pub(crate) memory: u64,
    pub(crate) pooling: bool,
    pub(crate) keep_resident: usize,
    pub(crate) guest_stack: usize,
    pub(crate) host_stack: usize,
    pub(crate) tick: Duration,
}

/// What a test lets an attempt do instead of running a guest; none runs the guest.
pub type Deed = fn(task: &str, argument: &str) -> Option<String>;

/// Runs attempts for the node that started this process, until that is gone.
#[must_use]
pub fn run_attempts() -> ExitCode {
    serve(|_, _| None)
}

/// The same, with attempts that do something else: for tests of what a guest could do that got out of its sandbox.
#[cfg(debug_assertions)]
#[must_use]
pub fn run_attempts_with(deed: Deed) -> ExitCode {
    serve(deed)
}

fn serve(deed: Deed) -> ExitCode {
    match start(deed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started it by hand sees this; the node reads it as well.
            io::stderr().write_all(format!("cannot run attempts: {error}\n").as_bytes()).ok();
            ExitCode::FAILURE
        }
    }
}

fn start(deed: Deed) -> io::Result<()> {
    let settings = std::env::args().nth(2).and_then(|text| serde_json::from_str::<CellSettings>(&text).ok());
    let settings = settings.ok_or_else(|| io::Error::other("this is for nodes, which say how; `mogbox serve` starts one"))?;
    // A cell that fails in part is not to go on.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
    close_what_was_inherited()?;
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut writing = socket.try_clone()?;
    confine(&Confinement {
        parent: settings.node,
        memory: settings.memory,
        cpu: None,
        file: 0,
        open_files: OPEN_FILES,
        niceness: NICENESS,
        makes_code: true,
        further_calls: &[],
    })?;
    let threads = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let (cell, frames) = Cell::new(&settings, deed)?;
    // Before anything that could be a lie.
    writing.write_all(&link::message(&FromCell::Ready, MAX_TO_CELL).unwrap_or_default())?;
    std::thread::Builder::new().name("to-node".into()).spawn(move || write_all(writing, &frames))?;
    let _entered = threads.enter();
    cell.listen(&mut socket)
}

/// Files that were open where the node was started, and that nobody closed at its start.
#[cfg(target_os = "linux")]
fn close_what_was_inherited() -> io::Result<()> {
    let open = std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for file in open.filter(|file| *file > 2).collect::<Vec<_>>() {
        // The folder that was listed is among them, and closed by now.
        nix::unistd::close(file).ok();
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn close_what_was_inherited() -> io::Result<()> {
    Ok(())
}

/// What the attempts of this process share.
pub(crate) struct Cell {
    engine: Engine,
    linker: Linker<Guest>,
    places: Arc<Places>,
    modules: Mutex<HashMap<Digest, Result<Ready, String>>>,
    attempts: Mutex<HashMap<u64, Arc<Remote>>>,
    frames: Sender<Vec<u8>>,
    most: AtomicUsize,
    deed: Deed,
}

impl Cell {
    /// With what it says, to be written.
    fn new(settings: &CellSettings, deed: Deed) -> io::Result<(Arc<Self>, Receiver<Vec<u8>>)> {
        let other = |error: &dyn std::fmt::Display| io::Error::other(format!("{error:#}"));
        let settings = engine_settings(settings);
        let engine = engine::start(&settings).map_err(|error| other(&error))?;
        let linker = linker(&engine).map_err(|error| other(&error))?;
        let (frames, outgoing) = channel();
        let (places, most) = (Places::new(&settings), AtomicUsize::new(link::most_from_cell(&Limits::default())));
        let (modules, attempts) = (Mutex::default(), Mutex::default());
        Ok((Arc::new(Self { engine, linker, places, modules, attempts, frames, most, deed }), outgoing))
    }

    /// Does what the node says, until it says no more.
    fn listen(self: &Arc<Self>, socket: &mut File) -> io::Result<()> {
        loop {
            let mut head = [0; HEAD];
            if socket.read_exact(&mut head).is_err() {
                return Ok(());
            }
            let (kind, length) = link::head(head, MAX_TO_CELL)?;
            let mut body = vec![0; length];
            socket.read_exact(&mut body)?;
            match kind {
                Kind::Message => self.obey(link::read_message(&body)?),
                Kind::Module => self.load(&body)?,
            }
        }
    }

    fn obey(self: &Arc<Self>, message: ToCell) {
        match message {
            ToCell::Start(start) => self.begin(*start),
            ToCell::Stop { number, reason, forced } => {
                if let Some(remote) = self.attempt(number) {
                    let stop = &remote.facts().stop;
                    if forced { stop.force(reason) } else { stop.ask(reason) }
                }
            }
            ToCell::Answer { number, answer } => {
                if let Some(remote) = self.attempt(number) {
                    remote.answered(answer);
                }
            }
            ToCell::Forget { module } => drop(lock(&self.modules).remove(&module)),
        }
    }

    fn load(&self, body: &[u8]) -> io::Result<()> {
        let (digest, code) = link::read_module(body)?;
        let ready = artifacts::load_from_node(&self.engine, code)
            .and_then(|component| linked(&self.linker, &component).map_err(|error| format!("{error:#}")))
            .map(Linked::new);
        lock(&self.modules).insert(digest, ready);
        Ok(())
    }

    fn begin(self: &Arc<Self>, start: Start) {
        self.most.fetch_max(link::most_from_cell(&start.limits), Ordering::Relaxed);
        let (number, module) = (start.number, start.module);
        let remote = Arc::new(Remote::new(number, facts(start), Arc::clone(self)));
        lock(&self.attempts).insert(number, Arc::clone(&remote));
        let cell = Arc::clone(self);
        tokio::spawn(async move {
            let execution = cell.execute(module, remote).await;
            lock(&cell.attempts).remove(&number);
            cell.finish(number, execution);
        });
    }

    async fn execute(&self, digest: Digest, remote: Arc<Remote>) -> Execution {
        let request = Arc::clone(&remote.facts().request);
        if let Some(text) = self.done_instead(&request) {
            return Execution::without_run(Outcome::Success(text));
        }
        let module = lock(&self.modules).get(&digest).cloned();
        let module = module.unwrap_or_else(|| Err("it was not sent".to_owned()));
        match module.map(|module| (module, self.places.take_for_nobody())) {
            Ok((module, Ok(place))) => run(self.engine.clone(), digest, module, remote, place).await,
            Ok((_, Err(full))) => Execution::without_run(Outcome::Unavailable(full)),
            Err(error) => Execution::without_run(Outcome::Unavailable(format!("module {digest} does not load in a process: {error}"))),
        }
    }

    fn done_instead(&self, request: &Request) -> Option<Json> {
        let argument = request.args.first().map(|argument| argument.as_str()).unwrap_or_default();
        (self.deed)(request.name.as_str(), argument).map(|text| Json::string(&text))
    }

    /// What is over the most of one frame is so by the JSON around it.
    fn finish(&self, number: u64, execution: Execution) {
        let Execution { outcome, receipt, log, dropped_lines } = execution;
        let (cpu_us, peak_memory, host_calls, host_bytes) = (receipt.cpu_us, receipt.peak_memory, receipt.host_calls, receipt.host_bytes);
        let end = End { outcome: Ended::from(outcome), cpu_us, peak_memory, host_calls, host_bytes, log, dropped_lines };
        if !self.say(&FromCell::Finished { number, end: Box::new(end) }) {
            let outcome = Ended::OverBound(Bound::Result);
            let end = End { outcome, cpu_us, peak_memory, host_calls, host_bytes, log: Vec::new(), dropped_lines: u64::MAX };
            self.say(&FromCell::Finished { number, end: Box::new(end) });
        }
    }

    /// Says something to the node, unless it is more than the node hears at once.
    fn say(&self, message: &FromCell) -> bool {
        let frame = link::message(message, self.most.load(Ordering::Relaxed));
        frame.is_some_and(|frame| self.frames.send(frame).is_ok())
    }

    fn attempt(&self, number: u64) -> Option<Arc<Remote>> {
        lock(&self.attempts).get(&number).cloned()
    }
}

/// Without the node there is nothing to live for.
fn write_all(mut socket: File, frames: &Receiver<Vec<u8>>) {
    while let Ok(frame) = frames.recv() {
        if socket.write_all(&frame).is_err() {
            std::process::exit(1);
        }
    }
}

fn facts(start: Start) -> Facts {
    let now = Instant::now();
    Facts {
        tenant: start.tenant,
        queue: start.queue,
        request: Arc::new(start.request),
        attempt: start.attempt,
        limits: start.limits,
        stop: Stop::new(),
        started: now.checked_sub(start.elapsed).unwrap_or(now),
        deadline: start.deadline,
        // All attempts here are one tenant's.
        weight: 1,
        config: Arc::new(start.config.into_iter().collect()),
    }
}

/// The node's own, as far as compiled modules depend on them. Its bounds on memory are the node's to keep.
fn engine_settings(settings: &CellSettings) -> EngineSettings {
    let allocation = if settings.pooling { Allocation::Pooling } else { Allocation::OnDemand };
    let CellSettings { guests, keep_resident, guest_stack, host_stack, tick, .. } = *settings;
    let max_instances = guests;
    EngineSettings { max_instances, guest_memory: u64::MAX, allocation, keep_resident, guest_stack, host_stack, tick, ..Default::default() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one step, so what is inside is whole even after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success(json) => Self::Success(json),
            Outcome::Failed(failure) => {
                Self::Failed { kind: failure.kind, message: failure.message, details: failure.details.into_iter().collect() }
            }
            Outcome::InvalidArguments(errors) => {
                Self::InvalidArguments(errors.into_iter().map(|error| (error.argument, error.message)).collect())
            }
            Outcome::UnknownTask => Self::UnknownTask,
            Outcome::Retry { message, after } => Self::Retry { message, after },
            Outcome::Pause { after } => Self::Pause { after },
            Outcome::Trapped { class, message } => Self::Trapped { class, message },
            Outcome::OverBound { bound, .. } => Self::OverBound(bound),
            Outcome::DeadlinePassed => Self::DeadlinePassed,
            Outcome::Stopped(_) => Self::Stopped,
            Outcome::Unavailable(text) => Self::Unavailable(text),
        }
    }
}
