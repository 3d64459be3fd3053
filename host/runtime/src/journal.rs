//! The log of one attempt: what the guest logs and what it prints, line by line, within bounds. A flood is counted
//! and dropped but for its beginning and its end, so that it costs the host nothing.

mod lines;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mogbox_core::limits::Limits;
use mogbox_core::report::Level;
use mogbox_core::{Entries, LogLine};

use self::lines::Lines;
use crate::output::Source;
use crate::trap::for_people;

/// A printed line longer than this is kept as several.
const MAX_PRINTED_LINE: usize = 8 << 10;

/// What Rust's panics begin with, in the log as on standard error.
const PANIC: &str = "panicked at ";

/// How Rust ends what it prints of a panic.
const END_OF_PANIC: &str = "note: run with";

/// Bytes of what a panic says, as far as it is shown with the failure.
const MAX_PANIC: usize = 512;

/// A journal that the guest's output streams write to as well.
#[derive(Clone)]
pub(crate) struct SharedJournal(Arc<Mutex<Journal>>);

struct Journal {
    lines: Lines,
    piped: u64,
    output: Vec<u8>,
    error: Vec<u8>,
}

/// Lines that were kept elsewhere, as far as they are within these bounds, and how many are not.
pub(crate) fn relayed(limits: &Limits, lines: impl Iterator<Item = LogLine>) -> (Vec<LogLine>, u64) {
    let mut kept = Lines::new(limits);
    lines.for_each(|line| kept.push(line));
    kept.take()
}

impl SharedJournal {
    pub(crate) fn new(limits: &Limits) -> Self {
        let journal = Journal { lines: Lines::new(limits), piped: 0, output: Vec::new(), error: Vec::new() };
        Self(Arc::new(Mutex::new(journal)))
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
        journal.end_lines();
        journal.lines.take()
    }

    /// What the guest said when it panicked, where that is among its last words.
    pub(crate) fn last_panic(&self) -> Option<String> {
        let mut journal = self.lock();
        journal.end_lines();
        panic_in(&journal.lines.newest())
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        // A panic elsewhere leaves a journal that is whole: each change ends before the lock does.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    fn push(&mut self, level: Level, message: String, fields: Entries) {
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

    fn end_lines(&mut self) {
        self.end_line(Source::Output, false);
        self.end_line(Source::Error, false);
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

/// The newest panic in lines that come newest first, with the lines that belong to it: a printed panic takes several.
fn panic_in(newest: &[&LogLine]) -> Option<String> {
    let at = newest.iter().position(|line| line.message.contains(PANIC))?;
    let mut said = newest.iter().take(at + 1).rev();
    let first = said.next()?;
    let mut text = first.message.get(first.message.find(PANIC)?..)?.to_owned();
    for line in said.filter(|line| line.level == first.level).take_while(|line| !line.message.starts_with(END_OF_PANIC)) {
        text.push('\n');
        text.push_str(&line.message);
    }
    // Rust breaks the line between the place and the message.
    Some(for_people(text.replacen(":\n", ": ", 1).trim_end(), MAX_PANIC))
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
        assert_eq!((lines.len(), dropped), (3, 125));
        assert_eq!(lines.iter().map(|line| line.message.len()).sum::<usize>(), 20_000);
    }

    #[test]
    fn the_last_panic_is_found_in_the_log_and_on_standard_error() {
        let logged = journal(100, 20_000);
        logged.log(Level::Error, "panicked at src/lib.rs:1:2:\nfirst".into(), Entries::new());
        logged.log(Level::Error, "panicked at src/lib.rs:3:4:\nno \u{1b}luck".into(), Entries::new());
        assert_eq!(logged.last_panic().unwrap(), "panicked at src/lib.rs:3:4: no \u{fffd}luck");
        let printed = journal(100, 20_000);
        printed.print(Source::Output, b"working\n");
        printed.print(Source::Error, b"\nthread 'main' (1) panicked at src/lib.rs:5:6:\nassertion failed\n  left: 1\nnote: run with it");
        printed.print(Source::Output, b"more");
        assert_eq!(printed.last_panic().unwrap(), "panicked at src/lib.rs:5:6: assertion failed\n  left: 1");
    }

    #[test]
    fn a_panic_after_a_flood_is_found_and_cut() {
        let journal = journal(100, 20_000);
        journal.print(Source::Output, &b"x\n".repeat(10_000));
        journal.log(Level::Error, format!("panicked at a.rs:1:1:\n{}", "ä".repeat(10_000)), Entries::new());
        let panic = journal.last_panic().unwrap();
        assert!(panic.starts_with("panicked at a.rs:1:1: ä") && panic.ends_with("ä…") && panic.len() <= MAX_PANIC + 3, "{panic}");
        journal.print(Source::Output, &b"x\n".repeat(100));
        assert_eq!(journal.last_panic(), None);
    }
}
