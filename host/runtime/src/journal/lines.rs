//! Log lines within bounds. The first ones and the last ones are kept, those between are counted and dropped: a log is read for
//! how it began and for the last words before the end.

use std::collections::VecDeque;

use mogbox_core::limits::{Bound, Limits};
use mogbox_core::{Entries, LogLine};

/// What of the bounds is left for the last lines, at most: lines and bytes.
const LAST_LINES: usize = 16;
const LAST_BYTES: usize = 2 << 10;

/// What a line that was cut ends with.
const CUT: char = '…';

/// The lines of one attempt. Nothing is dropped while all of them fit.
pub(super) struct Lines {
    first: Vec<LogLine>,
    first_bytes: usize,
    last: VecDeque<LogLine>,
    last_bytes: usize,
    dropped: u64,
    max_lines: usize,
    max_bytes: usize,
}

impl Lines {
    pub(super) fn new(limits: &Limits) -> Self {
        let (max_lines, max_bytes) = (limits.length(Bound::LogLines), limits.length(Bound::Log));
        Self { first: Vec::new(), first_bytes: 0, last: VecDeque::new(), last_bytes: 0, dropped: 0, max_lines, max_bytes }
    }

    pub(super) fn push(&mut self, line: LogLine) {
        if self.is_one_of_the_first(size(&line)) {
            self.first_bytes += size(&line);
            self.first.push(line);
        } else {
            self.push_last(line);
        }
    }

    fn is_one_of_the_first(&self, size: usize) -> bool {
        let (lines, bytes) = (self.max_lines - LAST_LINES.min(self.max_lines / 2), self.max_bytes - LAST_BYTES.min(self.max_bytes / 2));
        let in_order = self.last.is_empty() && self.dropped == 0;
        in_order && self.first.len() < lines && size <= bytes.saturating_sub(self.first_bytes)
    }

    /// The last lines take what the first ones have left, and the oldest of them make way.
    fn push_last(&mut self, mut line: LogLine) {
        let (lines, bytes) = (self.max_lines.saturating_sub(self.first.len()), self.max_bytes.saturating_sub(self.first_bytes));
        cut(&mut line, bytes);
        let size = size(&line);
        while self.last.len() >= lines || size > bytes.saturating_sub(self.last_bytes) {
            self.dropped = self.dropped.saturating_add(1);
            let Some(oldest) = self.last.pop_front() else { return };
            self.last_bytes = self.last_bytes.saturating_sub(self::size(&oldest));
        }
        self.last_bytes += size;
        self.last.push_back(line);
    }

    /// The last few lines that are kept, newest first.
    pub(super) fn newest(&self) -> Vec<&LogLine> {
        self.last.iter().rev().chain(self.first.iter().rev()).take(LAST_LINES).collect()
    }

    /// Every line, and the number of those dropped.
    pub(super) fn take(&mut self) -> (Vec<LogLine>, u64) {
        let mut lines = std::mem::take(&mut self.first);
        lines.extend(self.last.drain(..));
        (self.first_bytes, self.last_bytes) = (0, 0);
        (lines, std::mem::take(&mut self.dropped))
    }
}

fn size(line: &LogLine) -> usize {
    line.message.len().saturating_add(line.fields.size())
}

/// Cuts a line to so many bytes; its fields go first.
fn cut(line: &mut LogLine, most: usize) {
    if size(line) <= most {
        return;
    }
    line.fields = Entries::new();
    if line.message.len() > most && most > CUT.len_utf8() {
        line.message.truncate(line.message.floor_char_boundary(most - CUT.len_utf8()));
        line.message.push(CUT);
        line.message.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mogbox_core::Json;
    use mogbox_core::report::Level;

    use super::*;

    fn line(message: &str) -> LogLine {
        LogLine { at: Timestamp::UNIX_EPOCH, level: Level::Info, message: message.into(), fields: Entries::new() }
    }

    fn kept(log_lines: u64, log: u64, messages: impl IntoIterator<Item = String>) -> (Vec<String>, u64) {
        let mut lines = Lines::new(&Limits { log_lines, log, ..Limits::default() });
        messages.into_iter().for_each(|message| lines.push(line(&message)));
        let (lines, dropped) = lines.take();
        (lines.into_iter().map(|line| line.message).collect(), dropped)
    }

    #[test]
    fn nothing_is_dropped_while_all_lines_fit() {
        let all: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(kept(100, 190, all.clone()), (all, 0));
        let long = "x".repeat(1_000);
        assert_eq!(kept(1, 1_000, [long.clone()]), (vec![long], 0));
    }

    #[test]
    fn of_a_flood_the_beginning_and_the_last_words_are_kept() {
        let (lines, dropped) = kept(100, 10_000, (0..5_000).map(|n| n.to_string()));
        let expected: Vec<String> = (0..84).chain(4_984..5_000).map(|n| n.to_string()).collect();
        assert_eq!((lines, dropped), (expected, 4_900));
    }

    #[test]
    fn last_words_are_cut_to_what_is_left_of_the_bytes() {
        let words = ["x".repeat(7_000), "y".repeat(50_000)];
        let (lines, dropped) = kept(100, 10_000, words);
        assert_eq!((lines.len(), dropped), (2, 0));
        assert_eq!((lines[1].len(), lines[1].chars().last()), (3_000, Some('…')));
        assert_eq!(kept(100, 10_000, ["x".repeat(7_000), "y".repeat(50_000), "the end".into()]).0[1], "the end");
    }

    #[test]
    fn fields_are_left_out_where_they_do_not_fit() {
        let mut lines = Lines::new(&Limits { log: 20, ..Limits::default() });
        let fields = [("key".to_owned(), Json::parse("\"a long value\"", 100).unwrap())].into_iter().collect();
        lines.push(LogLine { fields, ..line("message") });
        let (lines, dropped) = lines.take();
        assert_eq!((lines[0].message.as_str(), lines[0].fields.len(), dropped), ("message", 0, 0));
    }

    #[test]
    fn bounds_of_nothing_keep_nothing() {
        assert_eq!(kept(0, 1_000, ["one".to_owned(), "two".to_owned()]), (vec![], 2));
        assert_eq!(kept(10, 0, ["one".to_owned()]), (vec![], 1));
        assert_eq!(kept(10, 2, ["one".to_owned()]), (vec![], 1));
    }
}
