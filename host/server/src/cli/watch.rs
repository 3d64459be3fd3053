//! Waiting for a request: a bar that follows its `progress` metadata, then its value or why it has none.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mogbox_core::{RequestId, State};
use serde::Deserialize;

use super::Common;
use super::client::{Client, request_path};
use super::output::{self, Output};
use super::values::parse_duration;
use crate::api::types::{ErrorView, RequestView};
use crate::escape::{escape, escape_json};

/// What the exit code of a wait says.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 SUCCESS, 3 FAILURE, 4 REVOKED, 5 INVALID, 6 not done within --timeout, 1 anything else.";

const EXAMPLES: &str = "\
Examples:
  mogbox wait 9b09b78c-688f-4d40-b7ba-1a1fb10215e2
  mogbox wait \"$id\" --timeout 60s";

/// Time between two looks at the progress. The end of a request is noticed at once all the same.
const LOOK: &str = "0.2";

/// Longest wait of one call where nobody looks at the progress.
const LONG_WAIT: f64 = 55.0;

/// Wait for a request and print its value.
#[derive(Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Wait {
    /// The request.
    id: RequestId,
    /// Stop waiting after this time; the request goes on.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

impl Wait {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        watch(&common.client()?, &common.output(), self.id, self.timeout)
    }
}

/// Waits, shows the progress, and prints how the request ended.
pub(super) fn watch(client: &Client, output: &Output, id: RequestId, timeout: Option<Duration>) -> anyhow::Result<ExitCode> {
    let bar = if output.is_json() { ProgressBar::hidden() } else { new_bar() };
    let waited = follow(client, id, timeout, &bar);
    bar.finish_and_clear();
    let view = waited?;
    if output.is_json() {
        output.json(&view)?;
    } else {
        print_end(output, &view)?;
    }
    Ok(exit_code(view.result.state))
}

/// Follows a request until it is final or the time is over.
fn follow(client: &Client, id: RequestId, timeout: Option<Duration>, bar: &ProgressBar) -> anyhow::Result<RequestView> {
    let ends = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = ends.map_or(f64::INFINITY, |ends| ends.saturating_duration_since(Instant::now()).as_secs_f64());
        let seconds = if bar.is_hidden() { format!("{:.3}", left.min(LONG_WAIT)) } else { LOOK.to_owned() };
        let query = [("seconds", seconds.as_str()), ("fields", "value,metadata")];
        let view: RequestView = client.get(&request_path(id, "/wait"), &query)?;
        if view.result.state.is_final() || left <= 0.0 {
            return Ok(view);
        }
        show(bar, &view);
    }
}

/// A bar on the terminal; hidden where there is none.
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

/// Shows how far a request is. Progress of another shape than the convention's is not shown.
fn show(bar: &ProgressBar, view: &RequestView) {
    let state = view.result.state;
    let told = view.metadata.as_ref().and_then(|entries| entries.get("progress")).and_then(|json| json.read::<Progress>().ok());
    let progress = told.unwrap_or_default();
    let message = progress.message.as_deref().map(escape);
    match whole(progress.total) {
        Some(total) if total > 0 => {
            bar.set_style(counted());
            bar.set_length(total);
            bar.set_position(whole(Some(progress.done)).unwrap_or(0).min(total));
            bar.set_message(message.map_or_else(|| state_text(state), std::borrow::Cow::into_owned));
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

/// Prints the value on standard output, or on standard error why there is none.
fn print_end(output: &Output, view: &RequestView) -> anyhow::Result<()> {
    let (id, state) = (view.result.id, view.result.state);
    match (&view.value, &view.error) {
        (Some(value), _) => output.line(&escape_json(value.as_str()))?,
        (None, Some(error)) => output::error(&format!("{state}: {}", error_text(error))),
        (None, None) if state == State::Success => bail!("the value of request {id} was deleted: values are kept for seven days"),
        (None, None) if state.is_final() => output::error(&format!("{state}: request {id}")),
        (None, None) => output::error(&format!("request {id} is {state} still: `mogbox wait {id}` goes on waiting")),
    }
    Ok(())
}

/// The error in words, with its traceback on lines of its own. Not escaped.
pub(super) fn error_text(error: &ErrorView) -> String {
    let kind = if error.kind.is_empty() { String::new() } else { format!("{}: ", error.kind) };
    let traceback = error.traceback.trim_end();
    let more = if traceback.is_empty() { String::new() } else { format!("\n{traceback}") };
    format!("{kind}{}{more}", error.message)
}

fn exit_code(state: State) -> ExitCode {
    ExitCode::from(match state {
        State::Success => 0,
        State::Failure => 3,
        State::Revoked => 4,
        State::Invalid => 5,
        State::Pending | State::Running | State::Suspended => 6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
