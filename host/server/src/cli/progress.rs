//! The progress of a request while somebody waits: a bar on a terminal, a line now and then elsewhere, nothing for scripts.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mogbox_core::State;
use serde::Deserialize;

use super::output::Output;
use crate::api::types::RequestView;
use crate::escape::escape;

/// Lines that tell of one request at most, where there is no terminal.
const LINES: u64 = 10;

/// Characters of a bar in such a line.
const WIDTH: u64 = 20;

/// How progress is shown.
pub(super) enum Shown {
    /// A bar that moves.
    Bar(ProgressBar),
    /// A line for each tenth; the last one told.
    Lines(Option<u64>),
    /// Nobody looks.
    Nothing,
}

/// The `progress` metadata, by convention.
#[derive(Debug, Default, Deserialize, PartialEq)]
struct Progress {
    #[serde(default)]
    done: f64,
    #[serde(default)]
    total: Option<f64>,
    #[serde(default)]
    message: Option<String>,
}

impl Shown {
    /// As fits where the output goes.
    pub(super) fn new(output: &Output) -> Self {
        match (output.is_json(), std::io::stderr().is_terminal()) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Bar(new_bar()),
            (false, false) => Self::Lines(None),
        }
    }

    /// Whether nobody looks.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Shows how far a request is. Progress of another shape than the convention's is not shown.
    pub(super) fn show(&mut self, view: &RequestView) {
        let told = view.metadata.as_ref().and_then(|entries| entries.get("progress"));
        let progress: Option<Progress> = told.and_then(|json| json.read().ok());
        match self {
            Self::Bar(bar) => move_bar(bar, view.result.state, progress.unwrap_or_default()),
            Self::Lines(last) => {
                if let Some(line) = progress.and_then(|progress| next_line(last, &progress)) {
                    Output::new(false).note(&line);
                }
            }
            Self::Nothing => {}
        }
    }

    /// Leaves nothing of a bar on the terminal.
    pub(super) fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// The line for a progress that is further by a tenth than the one before; none for less.
fn next_line(last: &mut Option<u64>, progress: &Progress) -> Option<String> {
    let total = whole(progress.total).filter(|total| *total > 0)?;
    let done = whole(Some(progress.done))?.min(total);
    let tenth = Some(scaled(done, total, LINES));
    if *last >= tenth {
        return None;
    }
    *last = tenth;
    let filled = usize::try_from(scaled(done, total, WIDTH)).unwrap_or_default();
    let bar = format!("{:=<filled$}>{:empty$}", "", "", empty = usize::try_from(WIDTH).unwrap_or_default().saturating_sub(filled));
    let message = progress.message.as_deref().map(escape).unwrap_or_default();
    Some(format!("[{bar}] {done}/{total} {message}"))
}

fn scaled(done: u64, total: u64, parts: u64) -> u64 {
    u64::try_from(u128::from(done) * u128::from(parts) / u128::from(total)).unwrap_or(parts)
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(spinner());
    bar.set_message("PENDING");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn counted() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner:.cyan} [{bar:30.cyan}] {pos}/{len} {wide_msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

fn move_bar(bar: &ProgressBar, state: State, progress: Progress) {
    let message = progress.message.as_deref().map(escape);
    match whole(progress.total) {
        Some(total) if total > 0 => {
            bar.set_message(message.map_or_else(|| state_text(state), std::borrow::Cow::into_owned));
            bar.set_length(total);
            bar.set_position(whole(Some(progress.done)).unwrap_or(0).min(total));
            bar.set_style(counted());
        }
        _ => {
            bar.set_style(spinner());
            let done = whole(Some(progress.done)).filter(|done| *done > 0).map_or_else(String::new, |done| format!(" {done} done"));
            let message = message.map_or_else(String::new, |message| format!(" {message}"));
            bar.set_message(format!("{}{done}{message}", state_text(state)));
        }
    }
}

fn state_text(state: State) -> String {
    state.as_str().to_owned()
}

/// A count that a task told, where it is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie between 0 and 2^53")]
fn whole(told: Option<f64>) -> Option<u64> {
    told.filter(|number| (0.0..9_007_199_254_740_992.0).contains(number)).map(|number| number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_for_each_tenth_and_no_more() {
        let mut last = None;
        let told: Vec<String> = (0..=1_000)
            .filter_map(|done| next_line(&mut last, &Progress { done: f64::from(done), total: Some(1_000.0), message: None }))
            .collect();
        assert_eq!(told.len(), 11);
        assert_eq!(told[5], "[==========>          ] 500/1000 ");
        assert_eq!(next_line(&mut None, &Progress { done: 1.0, total: None, message: None }), None);
    }

    #[test]
    fn a_count_that_makes_no_sense_is_none() {
        assert_eq!(whole(Some(2.9)), Some(2));
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(whole(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn progress_may_leave_out_what_it_does_not_know() {
        let read = |text: &str| serde_json::from_str::<Progress>(text).ok();
        assert_eq!(read(r#"{"done":1,"total":null,"message":"x"}"#), Some(Progress { done: 1.0, total: None, message: Some("x".into()) }));
        assert_eq!(read("{}"), Some(Progress::default()));
        assert_eq!(read(r#"{"done":"many"}"#), None);
    }
}
