//! A request in words, line by line. Everything that a task or a client wrote is escaped here.

use jiff::Timestamp;
use mogbox_core::{Entries, LogLine, Report, RequestResult};

use super::output::{ago, micros, size};
use super::watch::error_text;
use crate::api::types::RequestView;
use crate::escape::{escape, escape_json, escape_lines};

/// Children shown at most.
const CHILDREN_SHOWN: usize = 20;

/// Width of the names on the left.
const NAME: usize = 10;

/// The lines that show a request.
pub(super) fn show_request(view: &RequestView, now: Timestamp) -> Vec<String> {
    let mut lines = result_lines(&view.result, now);
    if let Some(value) = &view.value {
        lines.push(pair("value", &escape_json(value.as_str())));
    }
    if let Some(error) = &view.error {
        lines.extend(block("error", escape_lines(&error_text(error)).map(std::borrow::Cow::into_owned)));
    }
    if let Some(entries) = view.metadata.as_ref().filter(|entries| !entries.is_empty()) {
        lines.extend(block("metadata", entries.iter().map(|(key, value)| format!("{} = {}", escape(key), escape_json(value.as_str())))));
    }
    if let Some(children) = view.children.as_ref().filter(|children| !children.is_empty()) {
        let more = children.len().saturating_sub(CHILDREN_SHOWN);
        let rest = (more > 0).then(|| format!("and {more} more: `mogbox get ID --json` has all"));
        lines.extend(block("children", children.iter().take(CHILDREN_SHOWN).map(ToString::to_string).chain(rest)));
    }
    lines.extend(view.report.iter().flat_map(report_lines));
    lines
}

fn result_lines(result: &RequestResult, now: Timestamp) -> Vec<String> {
    let task = result.name.as_deref().unwrap_or("unknown");
    let arguments = result.request_kwargs_repr.as_deref().unwrap_or("");
    let mut lines = vec![
        pair("request", &result.id.to_string()),
        pair("task", &format!("{}({})", escape(task), escape(arguments))),
        pair("state", result.state.as_str()),
    ];
    lines.extend(result.created.map(|at| pair("created", &format!("{at:.3}  {}", ago(at, now)))));
    lines.extend(result.started.map(|at| pair("started", &format!("{at:.3}  {}", later(result.created, at)))));
    lines.extend(result.finished.map(|at| pair("finished", &format!("{at:.3}  {}", later(result.started, at)))));
    if result.number_of_starts > 1 {
        lines.push(pair("starts", &format!("{} (stops: {})", result.number_of_starts, result.number_of_stops)));
    }
    lines.extend(result.parent_id.map(|parent| pair("parent", &parent.to_string())));
    lines.extend(result.node_id.as_deref().map(|node| pair("node", &escape(node))));
    lines
}

/// How long after the time before it something happened.
fn later(before: Option<Timestamp>, at: Timestamp) -> String {
    let elapsed = before.and_then(|before| u64::try_from(at.duration_since(before).as_micros()).ok());
    elapsed.map_or_else(String::new, |elapsed| format!("{} later", micros(elapsed)))
}

fn report_lines(report: &Report) -> Vec<String> {
    let mut lines = block("receipt", receipt_lines(report).into_iter());
    let dropped = (report.dropped_lines > 0).then(|| format!("{} more lines were over the bounds log-lines and log", report.dropped_lines));
    let log = report.log.iter().map(log_line).chain(dropped);
    lines.extend(block("log", log));
    lines
}

fn receipt_lines(report: &Report) -> Vec<String> {
    let Report { attempt, receipt, .. } = report;
    let http = &receipt.http;
    let requests = (!http.is_none()).then(|| {
        let bytes = (size(http.bytes_out), size(http.bytes_in));
        format!("HTTP requests {}, {} out and {} in", http.requests, bytes.0, bytes.1)
    });
    let module = receipt.module.map_or_else(|| "none".to_owned(), |digest| digest.short());
    let signed = receipt.signed_by.map_or_else(String::new, |key| format!(" signed by {key}"));
    let mut lines = vec![
        format!("attempt {attempt}: ran {}, waited {} in the queue", micros(receipt.run_us), micros(receipt.queued_us)),
        format!("CPU {}, memory {} at most", micros(receipt.cpu_us), size(receipt.peak_memory)),
        format!("host calls {}, {} in and out", receipt.host_calls, size(receipt.host_bytes)),
        format!("module {module}{signed}, engine {}", escape(&receipt.engine)),
    ];
    lines.extend(requests);
    lines
}

fn log_line(line: &LogLine) -> String {
    let at = line.at.strftime("%H:%M:%S%.3f");
    let level = format!("{:?}", line.level).to_uppercase();
    format!("{at} {level:<5} {}{}", escape(&line.message), fields(&line.fields))
}

fn fields(entries: &Entries) -> String {
    entries.iter().map(|(key, value)| format!("  {}={}", escape(key), escape_json(value.as_str()))).collect()
}

/// A name with its value.
fn pair(name: &str, value: &str) -> String {
    format!("{name:<NAME$}{value}")
}

/// A name with a value on each line; nothing where there is none.
fn block(name: &str, values: impl Iterator<Item = String>) -> Vec<String> {
    values.enumerate().map(|(at, value)| pair(if at == 0 { name } else { "" }, &value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(json: &str) -> RequestView {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_hostile_task_moves_no_cursor_and_turns_no_text() {
        let view = view(
            r#"{"id":"9b09b78c-688f-4d40-b7ba-1a1fb10215e2","name":"a\u001b[2J","state":"FAILURE","number_of_starts":1,"number_of_stops":1,
            "parent_id":null,"created":null,"started":null,"finished":null,"node_id":"n\u001b","request_kwargs_repr":"\u001b]0;x\u0007",
            "error":{"code":"failed","message":"m\u001b[31m","kind":"k\u202e","traceback":"one\n\u001btwo"},
            "metadata":{"k\u202e":"v\u009b"},
            "report":{"attempt":1,"receipt":{"queued_us":1,"started":null,"run_us":2,"cpu_us":3,"peak_memory":4,"host_calls":5,
            "host_bytes":6,"module":null,"engine":"e\u001b","node_id":null},"error":null,"dropped_lines":2,
            "log":[{"at":"2026-01-01T00:00:00Z","level":"warn","message":"l\u001b[0m","fields":{"f\u2066":"\u200f"}}]}}"#,
        );
        let text = show_request(&view, Timestamp::UNIX_EPOCH).join("\n");
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200f}".contains(c)), "{text}");
        assert!(text.contains("error     k\\u{202e}: m\\u{1b}[31m\n          one\n          \\u{1b}two"), "{text}");
        assert!(text.contains("log       00:00:00.000 WARN  l\\u{1b}[0m  f\\u{2066}=\"\\u200f\""), "{text}");
    }

    #[test]
    fn each_time_is_told_by_its_distance_from_the_one_before() {
        let view = view(
            r#"{"id":"9b09b78c-688f-4d40-b7ba-1a1fb10215e2","name":"a","state":"SUCCESS","number_of_starts":1,"number_of_stops":1,
            "parent_id":null,"created":"2026-01-01T00:00:00Z","started":"2026-01-01T00:00:00.0025Z","finished":"2026-01-01T00:00:04Z",
            "node_id":null,"request_kwargs_repr":null,"value":1}"#,
        );
        let lines = show_request(&view, "2026-01-01T01:00:00Z".parse().unwrap());
        assert_eq!(lines.get(3).unwrap(), "created   2026-01-01T00:00:00.000Z  60 min ago");
        assert_eq!(lines.get(4).unwrap(), "started   2026-01-01T00:00:00.002Z  2.5 ms later");
        assert_eq!(lines.get(5).unwrap(), "finished  2026-01-01T00:00:04.000Z  3.9 s later");
    }

    #[test]
    fn a_request_that_waits_shows_only_what_there_is() {
        let view = view(
            r#"{"id":"9b09b78c-688f-4d40-b7ba-1a1fb10215e2","name":"example.add","state":"PENDING","number_of_starts":0,
            "number_of_stops":0,"parent_id":null,"created":"2026-01-01T00:00:00.1234Z","started":null,"finished":null,"node_id":null,
            "request_kwargs_repr":"1, 2","metadata":{},"children":[]}"#,
        );
        let now = "2026-01-01T00:00:30Z".parse().unwrap();
        assert_eq!(
            show_request(&view, now),
            [
                "request   9b09b78c-688f-4d40-b7ba-1a1fb10215e2",
                "task      example.add(1, 2)",
                "state     PENDING",
                "created   2026-01-01T00:00:00.123Z  29 s ago",
            ]
        );
    }
}
