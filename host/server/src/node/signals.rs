//! The signals that end a node: the first in good order, the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a process that a second signal ended, as shells know it from Ctrl-C.
const INTERRUPTED: i32 = 130;

/// SIGXFSZ, on Linux on x86-64 and aarch64: a file would grow beyond what the process may write (`ulimit -f`, `LimitFSIZE=`).
const FILE_TOO_LARGE: i32 = 25;

/// SIGTERM and SIGINT, as they come.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on these signals no longer end the process by themselves. Nor does a file that may not grow: the write fails, and the
    /// node waits until the store can be written again, as with a disk that is full.
    pub(crate) fn listen() -> std::io::Result<Self> {
        // Once anybody has listened to a signal, what it does by default is off for good.
        drop(signal(SignalKind::from_raw(FILE_TOO_LARGE))?);
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process at the next signal, wherever it is.
    pub(super) fn exit_at_next(mut self) {
        tokio::spawn(async move {
            let signal = self.next().await;
            tracing::warn!(signal, "stopped at once: what runs is handed out again when its lease ends");
            std::process::exit(INTERRUPTED);
        });
    }
}
