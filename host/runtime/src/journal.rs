//! The log of one attempt: what the guest logs and what it prints, line by line, within bounds. What is beyond them is counted
//! and dropped, so that a flood costs the host nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::report::Level;
use mogbox_core::{Entries, LogLine};

use crate::output::Source;

/// A printed line longer than this is kept as several.
const MAX_PRINTED_LINE: usize = 8 << 10;

/// A journal that the guest's output streams write to as well.
#[derive(Clone)]
pub(crate) struct SharedJournal(Arc<Mutex<Journal>>);

struct Journal {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u64,
    piped: u64,
    max_lines: usize,
    max_bytes: usize,
    output: Vec<u8>,
    error: Vec<u8>,
}

impl SharedJournal {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (max_lines, max_bytes) = (limits.length(Bound::LogLines), limits.length(Bound::Log));
        let (lines, output, error) = (Vec::new(), Vec::new(), Vec::new());
        Self(Arc::new(Mutex::new(Journal { lines, bytes: 0, dropped: 0, piped: 0, max_lines, max_bytes, output, error })))
    }

    /// One line of the guest's.
    pub(crate) fn log(&self, level: Level, message: String, fields: Entries) {
        self.lock().push(level, message, fields);
    }

    /// Printed bytes.
    pub(crate) fn print(&self, source: Source, bytes: &[u8]) {
        self.lock().print(source, bytes);
    }

    /// Bytes printed so far, kept or dropped.
    pub(crate) fn piped(&self) -> u64 {
        self.lock().piped
    }

    /// Every line, and the number of those dropped. The journal is empty afterwards.
    pub(crate) fn take(&self) -> (Vec<LogLine>, u64) {
        let mut journal = self.lock();
        journal.end_line(Source::Output, false);
        journal.end_line(Source::Error, false);
        (std::mem::take(&mut journal.lines), std::mem::take(&mut journal.dropped))
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        // A panic elsewhere leaves a journal that is whole: each change ends before the lock does.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    fn push(&mut self, level: Level, message: String, fields: Entries) {
        let size = message.len().saturating_add(fields.size());
        if self.lines.len() >= self.max_lines || size > self.max_bytes.saturating_sub(self.bytes) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.bytes = self.bytes.saturating_add(size);
        self.lines.push(LogLine { at: Timestamp::now(), level, message, fields });
    }

    fn print(&mut self, source: Source, bytes: &[u8]) {
        self.piped = self.piped.saturating_add(bytes.len() as u64);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            for part in piece.strip_suffix(b"\n").unwrap_or(piece).chunks(MAX_PRINTED_LINE) {
                self.extend_line(source, part);
            }
            if ends {
                self.end_line(source, true);
            }
        }
    }

    fn extend_line(&mut self, source: Source, part: &[u8]) {
        if self.line(source).len().saturating_add(part.len()) > MAX_PRINTED_LINE {
            self.end_line(source, false);
        }
        self.line(source).extend_from_slice(part);
    }

    /// Keeps what was printed since the last line's end; an empty line only where the guest ended one.
    fn end_line(&mut self, source: Source, ended_by_guest: bool) {
        let line = std::mem::take(self.line(source));
        if ended_by_guest || !line.is_empty() {
            let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            self.push(source.level(), text, Entries::new());
        }
    }

    fn line(&mut self, source: Source) -> &mut Vec<u8> {
        match source {
            Source::Output => &mut self.output,
            Source::Error => &mut self.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(log_lines: u64, log: u64) -> SharedJournal {
        SharedJournal::new(&Limits { log_lines, log, ..Limits::default() })
    }

    fn texts(journal: &SharedJournal) -> (Vec<String>, u64) {
        let (lines, dropped) = journal.take();
        (lines.into_iter().map(|line| format!("{:?} {}", line.level, line.message)).collect(), dropped)
    }

    #[test]
    fn printed_bytes_become_lines_wherever_they_are_cut() {
        let journal = journal(10, 1_000);
        journal.print(Source::Output, b"one\nt");
        journal.print(Source::Error, b"oops\r\n\n");
        journal.print(Source::Output, b"wo\nthr\xffee");
        let expected = ["Info one", "Warn oops", "Warn ", "Info two", "Info thr\u{fffd}ee"].map(String::from);
        assert_eq!(texts(&journal), (expected.to_vec(), 0));
    }

    #[test]
    fn a_flood_is_counted_and_dropped() {
        let journal = journal(3, 1_000);
        journal.print(Source::Output, &b"x\n".repeat(10_000));
        assert_eq!(texts(&journal), (vec!["Info x".to_owned(); 3], 9_997));
    }

    #[test]
    fn a_line_without_end_is_kept_in_pieces_within_the_bytes() {
        let journal = journal(100, 20_000);
        journal.print(Source::Error, &vec![b'y'; 1 << 20]);
        let (lines, dropped) = journal.take();
        assert_eq!((lines.len(), dropped), (2, 126));
        assert!(lines.iter().all(|line| line.message.len() == MAX_PRINTED_LINE));
    }
}
