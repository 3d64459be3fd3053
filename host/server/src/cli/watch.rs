//! Waiting for a request: its progress, then its value or why it has none.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use mogbox_core::{RequestId, State};

use super::Common;
use super::client::{Client, request_path};
use super::output::{self, Output};
use super::progress::Shown;
use super::values::parse_duration;
use crate::api::types::{ErrorView, RequestView};
use crate::escape::escape_json;

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
    let mut progress = Shown::new(output);
    let waited = follow(client, id, timeout, &mut progress);
    progress.clear();
    let view = waited?;
    if output.is_json() {
        output.json(&view)?;
    } else {
        print_end(output, &view)?;
    }
    Ok(exit_code(view.result.state))
}

/// Follows a request until it is final or the time is over.
fn follow(client: &Client, id: RequestId, timeout: Option<Duration>, progress: &mut Shown) -> anyhow::Result<RequestView> {
    let ends = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = ends.map_or(f64::INFINITY, |ends| ends.saturating_duration_since(Instant::now()).as_secs_f64());
        let seconds = if progress.is_nothing() { format!("{:.3}", left.min(LONG_WAIT)) } else { LOOK.to_owned() };
        let query = [("seconds", seconds.as_str()), ("fields", "value,metadata")];
        let view: RequestView = client.get(&request_path(id, "/wait"), &query)?;
        if view.result.state.is_final() || left <= 0.0 {
            return Ok(view);
        }
        progress.show(&view);
    }
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
