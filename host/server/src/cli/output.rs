//! What commands print: values and tables on standard output, everything else on standard error. Text of strangers is escaped
//! here or by the caller, never printed as it came.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, ContentArrangement, Table};
use jiff::Timestamp;
use serde::Serialize;

use crate::escape::{escape, escape_json, escape_lines};

/// Where output goes.
pub(super) struct Output {
    json: bool,
}

impl Output {
    /// Output for people, or JSON for scripts.
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one line on standard output. The text is escaped already.
    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Prints a value as JSON.
    pub(super) fn json<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(self.line(&escape_json(&text))?)
    }

    /// Prints rows under headers. Cells are escaped here.
    pub(super) fn table(&self, headers: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if table.width() == Some(0) {
            // A terminal that does not know how wide it is.
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(headers.iter().map(|header| Cell::new(header).add_attribute(Attribute::Bold)));
        for row in rows {
            table.add_row(row.iter().map(|cell| escape(cell).into_owned()));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.line(&table.trim_fmt())
    }

    /// Empties the terminal, where people look at one.
    pub(super) fn clear(&self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        if !self.json && output.is_terminal() {
            output.write_all(b"\x1b[2J\x1b[H")?;
        }
        output.flush()
    }

    /// Tells people something beside the output. Nothing for scripts.
    pub(super) fn note(&self, text: &str) {
        if !self.json {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }
}

/// Says on standard error what went wrong.
pub(super) fn error(text: &str) {
    let mut lines = escape_lines(text);
    let first = lines.next().unwrap_or_default();
    let label = if io::stderr().is_terminal() { "\u{1b}[1merror:\u{1b}[0m" } else { "error:" };
    let rest: String = lines.map(|line| format!("\n  {line}")).collect();
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{label} {first}{rest}");
}

/// Says on standard error what the node refused, as JSON.
pub(super) fn error_json(problem: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", escape_json(problem));
}

/// A size such as `412.3 KiB`.
pub(super) fn size(bytes: u64) -> String {
    let scaled = |shift: u32, unit: &str| {
        let tenths = (u128::from(bytes) * 10) >> shift;
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => scaled(10, "KiB"),
        0x10_0000..0x4000_0000 => scaled(20, "MiB"),
        _ => scaled(30, "GiB"),
    }
}

/// A time such as `1.5 ms`, from microseconds.
pub(super) fn micros(micros: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", micros / unit, micros % unit * 10 / unit);
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", tenths(1_000)),
        1_000_000..60_000_000 => format!("{} s", tenths(1_000_000)),
        _ => format!("{} min {} s", micros / 60_000_000, micros % 60_000_000 / 1_000_000),
    }
}

/// How long ago a moment was, such as `5 min ago`.
pub(super) fn ago(moment: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(moment).as_secs().max(0);
    match seconds {
        0..2 => "just now".to_owned(),
        2..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_shown_with_the_unit_that_fits() {
        let sizes = [0, 1_023, 1_536, 5 << 20, (3 << 30) + (1 << 29), u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3.5 GiB", "17179869183.9 GiB"]);
        let times = [7, 1_500, 2_340_000, 61_000_000].map(micros);
        assert_eq!(times, ["7 µs", "1.5 ms", "2.3 s", "1 min 1 s"]);
    }

    #[test]
    fn a_moment_in_the_past_is_told_by_its_distance() {
        let at = |seconds| ago(Timestamp::UNIX_EPOCH, Timestamp::from_second(seconds).unwrap());
        assert_eq!([-5, 1, 90, 600, 7_200, 900_000].map(at), ["just now", "just now", "90 s ago", "10 min ago", "2 h ago", "10 days ago"]);
    }
}
