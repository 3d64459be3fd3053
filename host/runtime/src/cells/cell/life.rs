//! A cell's life: it is started, heard and watched until it ends, by itself or for what it said. Knows nothing of what its attempts want.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};

use super::{Cell, Event, Gone, MAX_REASON, Running};
use crate::link::{self, FromCell, HEAD, Kind};
use crate::trap::for_people;

/// Bytes that are read at once of a long frame: no more is set aside than has come, but for this.
const PIECE: usize = 64 << 10;

/// A cell looks after itself so often.
const TICK: Duration = Duration::from_secs(1);

/// Time that a process which closed its socket gets to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Cell {
    /// Starts to live with the process, and ends with it.
    pub(super) async fn live(
        self: Arc<Self>,
        socket: UnixStream,
        frames: mpsc::UnboundedReceiver<Vec<u8>>,
        starting: oneshot::Receiver<io::Result<Child>>,
    ) {
        let mut process = match starting.await {
            Ok(Ok(process)) => process,
            Ok(Err(error)) => return self.end(&format!("cannot start a process for attempts: {error}")),
            Err(_) => return self.end("cannot start a process for attempts: nothing starts any"),
        };
        if let Some(id) = process.id() {
            self.process.set(id).ok();
        }
        let (reading, writing) = socket.into_split();
        let said = tokio::select! {
            error = self.hear(reading) => error,
            error = write_all(writing, frames) => error,
            () = self.watch() => None,
            () = self.kill.cancelled() => None,
        };
        if let Some(error) = said.filter(|error| error.kind() == io::ErrorKind::InvalidData) {
            self.condemn(&format!("it said {error}"));
        }
        let text = self.last_words(&mut process).await;
        self.end(&text);
    }

    /// How the process ended, which it now does.
    async fn last_words(&self, process: &mut Child) -> String {
        if self.kill.is_cancelled() || tokio::time::timeout(LAST_WORDS, process.wait()).await.is_err() {
            process.start_kill().ok();
        }
        let ended = process.wait().await.map_or_else(|error| error.to_string(), how);
        let mut said = Vec::new();
        if let Some(error) = process.stderr.take() {
            tokio::time::timeout(LAST_WORDS, error.take(MAX_REASON as u64).read_to_end(&mut said)).await.ok();
        }
        let said = String::from_utf8_lossy(&said);
        for_people(&format!("the sandbox process ended: {ended}; {}", said.trim()), MAX_REASON).trim_end_matches([' ', ';']).to_owned()
    }

    /// Tells all who wait: they hear nothing more of it.
    fn end(&self, text: &str) {
        let mut inner = self.inner();
        let after_start = inner.ready;
        inner.gone.get_or_insert_with(|| Gone { after_start, text: text.into() });
        inner.attempts.clear();
    }

    /// Hears the cell to its end: an error, or none where it closed the socket.
    async fn hear(&self, mut socket: OwnedReadHalf) -> Option<io::Error> {
        loop {
            if let Err(error) = self.hear_one(&mut socket).await {
                return Some(error);
            }
        }
    }

    async fn hear_one(&self, socket: &mut OwnedReadHalf) -> io::Result<()> {
        let mut head = [0; HEAD];
        socket.read_exact(&mut head).await?;
        let (kind, length) = link::head(head, self.most.load(Ordering::Relaxed))?;
        if kind != Kind::Message {
            return Err(link::malformed("a module, which only the node sends".into()));
        }
        let mut body = Vec::with_capacity(length.min(PIECE));
        while body.len() < length {
            let missing = length.saturating_sub(body.len()).min(PIECE) as u64;
            if socket.take(missing).read_to_end(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let message = if length > PIECE {
            tokio::task::spawn_blocking(move || link::read_message(&body)).await.map_err(io::Error::other)??
        } else {
            link::read_message(&body)?
        };
        self.heard(message)
    }

    fn heard(&self, message: FromCell) -> io::Result<()> {
        let mut inner = self.inner();
        let (number, event) = match message {
            FromCell::Ready if !inner.ready => {
                inner.ready = true;
                return Ok(());
            }
            FromCell::Ready => return Err(link::malformed("a second time that it is ready".into())),
            FromCell::Call { number, call } => (number, Event::Called(call)),
            FromCell::Finished { number, end } => (number, Event::Finished(end)),
        };
        let finished = matches!(event, Event::Finished(_));
        let Some(running) = inner.attempts.get(&number) else {
            return Err(link::malformed(format!("something of attempt {number}, which does not run in it")));
        };
        // Two at most: a call that is under way when its attempt ends, and that end.
        if running.abandoned.is_none() && matches!(running.events.try_send(event), Err(mpsc::error::TrySendError::Full(_))) {
            return Err(link::malformed(format!("too much of attempt {number} at once")));
        }
        if finished {
            inner.attempts.remove(&number);
            inner.idle_since = inner.attempts.is_empty().then(Instant::now);
        }
        Ok(())
    }

    /// Ends when the cell is to end, as it has nothing to do or does not do what it was told.
    async fn watch(&self) {
        loop {
            tokio::time::sleep(TICK.min(self.keep)).await;
            let overdue = |running: &Running| running.abandoned.is_some_and(|since| since.elapsed() > self.grace);
            let is_overdue = self.inner().attempts.values().any(overdue);
            if is_overdue {
                return self.condemn("an attempt did not end when it was made to");
            }
            if self.idle_since().is_some_and(|since| since.elapsed() > self.keep) && self.retire() {
                return;
            }
        }
    }
}

async fn write_all(mut socket: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) -> Option<io::Error> {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = socket.write_all(&frame).await {
            return Some(error);
        }
    }
    None
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
