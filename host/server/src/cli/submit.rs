//! `mogbox submit`: one request, with everything that it can carry.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use mogbox_core::{Deadline, Entries, Json, QueueName, RequestId, TaskName};

use super::Common;
use super::client::{may_have_arrived, with_advice};
use super::values::{parse_duration, parse_entry, parse_object, parse_value};
use super::watch::{EXIT_CODES, watch};
use crate::api::types::{NewRequest, Submitted};

/// Submit a request.
#[derive(Args)]
#[command(after_help = examples())]
pub(super) struct Submit {
    /// The task, such as example.add; `mogbox modules` lists what is served.
    task: TaskName,
    /// Arguments by position: JSON, or bare words that stand for strings.
    #[arg(value_name = "ARG", value_parser = parse_value, allow_negative_numbers = true)]
    arguments: Vec<Json>,
    /// Arguments by name, as one JSON object.
    #[arg(long, value_name = "OBJECT", value_parser = parse_object)]
    kwargs: Option<Entries>,
    /// One argument by name; wins over --kwargs.
    #[arg(long = "kwarg", value_name = "KEY=VALUE", value_parser = parse_entry)]
    named: Vec<(String, Json)>,
    /// Metadata that the task and everybody else can read.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_entry)]
    metadata: Vec<(String, Json)>,
    /// 0 (last) to 10 (first).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=10))]
    priority: Option<u8>,
    /// Stop and revoke it so long after its start.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    deadline: Option<Duration>,
    /// The queue to go through.
    #[arg(long, value_name = "NAME")]
    queue: Option<QueueName>,
    /// Hold it back so long first.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// Its id, a UUID; a random one where absent. Submitting the same id again changes nothing.
    #[arg(long, value_name = "UUID")]
    id: Option<RequestId>,
    /// Queue it although no module serves the task now.
    #[arg(long)]
    allow_unknown: bool,
    /// Wait until it is done, show its progress, and print its value.
    #[arg(long)]
    wait: bool,
    /// Stop waiting after this time; the request goes on.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "wait")]
    timeout: Option<Duration>,
}

fn examples() -> String {
    format!(
        "\
Examples:
  mogbox submit example.add 1 2 --wait                prints the value, 3.0
  mogbox submit example.add --kwargs '{{\"n1\": 1, \"n2\": 2}}'
  mogbox submit example.add --kwarg n1=1 --kwarg n2=2
  mogbox submit demo.get_metadata --metadata user_id=dol --wait
  mogbox submit report.write --deadline 30s --priority 9 --delay 5s
  id=$(mogbox submit example.add 1 2)                 without --wait, prints the id

Values are JSON: 1, true, null, '[1, 2]', '{{\"a\": 1}}', '\"text\"'. A bare word such as hello or
@dol is taken as a string; what begins as JSON does, such as 2026-11-25, needs its quotes: '\"2026-11-25\"'.

{EXIT_CODES}"
    )
}

impl Submit {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let (client, output) = (common.client()?, common.output());
        let (wait, timeout, allow_unknown) = (self.wait, self.timeout, self.allow_unknown);
        let request = self.request();
        let Submitted { id, name } = client.post("/v1/requests", &[], &request).map_err(|error| again_with(request.id, error))?;
        if allow_unknown {
            output.note("note: a request of a task that no module serves ends as INVALID once a node takes it");
        }
        if wait {
            output.note(&format!("submitted {id}"));
            return watch(&client, &output, id, timeout);
        }
        if output.is_json() {
            output.json(&Submitted { id, name })?;
        } else {
            output.line(&id.to_string())?;
            output.note("`mogbox wait ID` waits for its value, `mogbox get ID` shows how it stands");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn request(self) -> NewRequest {
        NewRequest {
            name: self.task,
            args: self.arguments,
            kwargs: self.kwargs.unwrap_or_default().into_iter().chain(self.named).collect(),
            metadata: self.metadata.into_iter().collect(),
            priority: self.priority,
            deadline: self.deadline.map(|after| Deadline::After(SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX))),
            queue: self.queue,
            delay_ms: self.delay.map_or(0, |delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            // Chosen here, so that a submission whose answer is lost can be repeated without running twice.
            id: Some(self.id.unwrap_or_else(RequestId::random)),
            allow_unknown: self.allow_unknown,
        }
    }
}

/// The error of a submission that the node may have taken all the same, with the way to submit it again.
fn again_with(id: Option<RequestId>, error: anyhow::Error) -> anyhow::Error {
    match id.filter(|_| may_have_arrived(&error)) {
        Some(id) => with_advice(error, &format!("to be safe, submit it again with --id {id}: where it was taken, that changes nothing")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        submit: Submit,
    }

    const ID: &str = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2";

    fn parse(line: &[&str]) -> Result<NewRequest, String> {
        let parsed = Line::try_parse_from([&["submit"], line].concat());
        parsed.map(|line| line.submit.request()).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_that_a_request_carries_can_be_said() {
        let line = ["a.b", "1", "-2", "@dol", "--kwargs", r#"{"x":1,"y":2}"#, "--kwarg", "y=[3]", "--metadata", "k=v", "--priority", "9"];
        let request = parse(&[&line[..], &["--deadline", "30s", "--delay", "1500ms", "--queue", "q", "--id", ID]].concat()).unwrap();
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            concat!(
                r#"{"name":"a.b","args":[1,-2,"@dol"],"kwargs":{"x":1,"y":[3]},"metadata":{"k":"v"},"priority":9,"#,
                r#""deadline":"PT30S","queue":"q","delay_ms":1500,"id":"9b09b78c-688f-4d40-b7ba-1a1fb10215e2","allow_unknown":false}"#
            )
        );
    }

    #[test]
    fn a_request_has_an_id_before_it_is_sent() {
        let id = || parse(&["a.b"]).unwrap().id.unwrap();
        assert_ne!(id(), id());
    }

    #[test]
    fn a_submission_without_an_answer_is_told_with_the_id_to_repeat_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let breaking = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
        });
        let client = super::super::client::Client::new(&server, None, None).unwrap();
        let request = parse(&["a.b", "--id", ID]).unwrap();
        let lost = client.post::<Submitted>("/v1/requests", &[], &request).unwrap_err();
        breaking.join().unwrap();
        let told = again_with(request.id, lost).to_string();
        assert!(told.contains(&server) && told.contains(&format!("submit it again with --id {ID}")), "{told}");
        // Nobody listens there any more: nothing was sent, and there is nothing to be careful about.
        let refused = client.post::<Submitted>("/v1/requests", &[], &request).unwrap_err();
        assert!(!again_with(request.id, refused).to_string().contains(ID));
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_sent() {
        assert!(parse(&["a.b", "--priority", "11"]).unwrap_err().contains("11 is not in 0..=10"));
        assert!(parse(&["a b"]).unwrap_err().contains("invalid task name \"a b\""));
        assert!(parse(&["a", "--id", "7"]).unwrap_err().contains("a UUID such as"));
        assert!(parse(&["a", "{x: 1}"]).unwrap_err().contains("single quotes"));
        assert!(parse(&["a", "--timeout", "1s"]).unwrap_err().contains("--wait"));
    }
}
