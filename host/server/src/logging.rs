//! The node's log on standard error: one event a line, with the text of strangers escaped whatever field it came in.

use std::io::{self, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::escape::{escape, escape_json};

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log. `filter` is a level such as `info`, or one a part such as `info,mogbox_core=debug`.
///
/// # Errors
/// Where the filter is malformed.
pub(crate) fn start(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    check_levels(filter)?;
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow::anyhow!("invalid log filter {filter:?}: {error}"))?;
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Escaped(format));
    let started = match format {
        LogFormat::Text => events.try_init(),
        LogFormat::Json => events.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}

/// A bare word that is no level would be taken as the name of a part of which nothing is said, and silence all others.
fn check_levels(filter: &str) -> anyhow::Result<()> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let bare = filter.split(',').map(str::trim).filter(|directive| !directive.contains(['=', '[']));
    match bare.into_iter().find(|word| !LEVELS.contains(&word.to_ascii_lowercase().as_str())) {
        Some(word) => anyhow::bail!("invalid log level {word:?}: expected one of {}, or PART=LEVEL", LEVELS.join(", ")),
        None => Ok(()),
    }
}

/// Writes each event to standard error, on one line.
struct Escaped(LogFormat);

impl<'a> MakeWriter<'a> for Escaped {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.0)
    }
}

/// The line of one event. The formatter hands it over whole.
struct Line(LogFormat);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let escaped = match self.0 {
            LogFormat::Text => escape(line),
            LogFormat::Json => escape_json(line),
        };
        // A line that cannot be written, to a disk that is full say, is lost: told of it, the subscriber would say so on standard
        // error as well, and panic when that fails.
        let _ = io::stderr().lock().write_all(format!("{escaped}\n").as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_named_with_those_there_are() {
        let error = check_levels("debgu").unwrap_err().to_string();
        assert!(error.starts_with("invalid log level \"debgu\": expected one of off, error,"), "{error}");
        check_levels("info,mogbox_core=debug").unwrap();
        check_levels("WARN").unwrap();
    }
}
