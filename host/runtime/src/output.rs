//! Standard output and error of a guest: streams that end in the attempt's journal, and never block.

use async_trait::async_trait;
use bytes::Bytes;
use mogbox_core::report::Level;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::journal::SharedJournal;

/// Bytes that a guest may write at once.
const WINDOW: usize = 64 << 10;

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Source {
    pub(crate) const fn level(self) -> Level {
        match self {
            Self::Output => Level::Info,
            Self::Error => Level::Warn,
        }
    }
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(crate) struct Output {
    journal: SharedJournal,
    source: Source,
}

impl Output {
    pub(crate) fn new(journal: &SharedJournal, source: Source) -> Self {
        Self { journal: journal.clone(), source }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    /// For versions of WASI that are not linked here.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.journal.print(self.source, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WINDOW)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}
