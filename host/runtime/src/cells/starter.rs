//! Starts processes, from a thread that lives as long as the node's cells: the system ends a process with the thread that started it.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::ProcessSettings;

/// Starts processes of one program.
pub(super) struct Starter {
    settings: ProcessSettings,
    /// The thread, once a process was wanted.
    orders: OnceLock<Mutex<Sender<Order>>>,
}

struct Order {
    argument: OsString,
    socket: OwnedFd,
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

impl Starter {
    pub(super) fn new(settings: ProcessSettings) -> Self {
        Self { settings, orders: OnceLock::new() }
    }

    /// Starts a process whose standard input is this socket. It is killed when what comes out is dropped.
    pub(super) fn start(&self, argument: OsString, socket: OwnedFd) -> oneshot::Receiver<io::Result<Child>> {
        let (started, process) = oneshot::channel();
        let order = Order { argument, socket, runtime: Handle::current(), started };
        let orders = self.orders.get_or_init(|| Mutex::new(self.start_thread()));
        // Without the thread, nobody answers, which is all that is to be said.
        orders.lock().unwrap_or_else(PoisonError::into_inner).send(order).ok();
        process
    }

    fn start_thread(&self) -> Sender<Order> {
        let (orders, received) = channel();
        let settings = self.settings.clone();
        let thread = std::thread::Builder::new().name("starts-cells".into());
        if let Err(error) = thread.spawn(move || work(&settings, &received)) {
            tracing::error!(%error, "no thread for starting processes");
        }
        orders
    }
}

fn work(settings: &ProcessSettings, orders: &Receiver<Order>) {
    while let Ok(Order { argument, socket, runtime, started }) = orders.recv() {
        let _entered = runtime.enter();
        let process = Command::new(&settings.program)
            .arg(&settings.argument)
            .arg(argument)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(socket))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        started.send(process).ok();
    }
}
