//! `mogbox dead-letters`: what was given up, and why.

use clap::Args;
use jiff::Timestamp;
use mogbox_core::broker::DeadLetter;
use serde::Deserialize;

use super::Common;
use super::output::ago;
use crate::api::types::DeadLetterList;

/// Characters of a body that are shown where it is no request.
const BODY_SHOWN: usize = 60;

/// List what was given up, newest first, with the reason.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox dead-letters                                  the newest 20
  mogbox dead-letters --most 1000 --json | jq -r '.dead_letters[].body'

Here are messages that are no request, requests that took their node along at each attempt, and requests whose
task asked to be tried again too often. They are kept for three weeks, the newest 10,000 of each tenant and queue,
each body up to 64 KiB. A node lists the queues that it takes requests from.")]
pub(super) struct DeadLetters {
    /// How many to list, 1 to 1000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000), default_value = "20")]
    most: u16,
}

impl DeadLetters {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let list: DeadLetterList = client.get("/v1/dead-letters", &[("most", &self.most.to_string())])?;
        if output.is_json() {
            return output.json(&list);
        }
        if list.dead_letters.is_empty() {
            output.note("no dead letters");
            return Ok(());
        }
        let now = Timestamp::now();
        let rows: Vec<_> = list.dead_letters.iter().map(|letter| row(letter, now)).collect();
        output.table(&["WHEN", "QUEUE", "REASON", "REQUEST"], &rows)?;
        if list.left_off > 0 {
            output.note(&format!("{} more are too large for one answer", list.left_off));
        }
        Ok(())
    }
}

/// The cells of a letter. Not escaped.
fn row(letter: &DeadLetter, now: Timestamp) -> Vec<String> {
    vec![ago(letter.at, now), letter.queue.to_string(), letter.reason.clone(), request(&letter.body)]
}

/// A message with its request, as much of it as is shown.
#[derive(Deserialize)]
struct Message {
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    id: String,
    name: String,
}

/// The id and task of the request in a body, or how the body begins.
fn request(body: &str) -> String {
    if let Ok(Message { payload: Payload { id, name } }) = serde_json::from_str(body) {
        return format!("{id} {name}");
    }
    let shown: String = body.chars().take(BODY_SHOWN).collect();
    if shown.len() < body.len() { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_shown_with_its_request_or_the_beginning_of_its_body() {
        assert_eq!(request(r#"{"id":"1","kind":"Request","payload":{"id":"1","name":"a.b","args":[]},"priority":5}"#), "1 a.b");
        assert_eq!(request("hello"), "hello");
        assert_eq!(request(&"é".repeat(100)), format!("{}…", "é".repeat(BODY_SHOWN)));
        assert_eq!(request(""), "");
    }
}
