//! `mogbox nodes`: what every node runs.

use clap::{Args, Subcommand};
use mogbox_core::RequestResult;

use super::Common;
use super::poll::{Poll, poll};
use super::values::parse_duration;
use crate::api::types::{NodeList, NodeView};
use crate::escape::escape;

/// Show what every node runs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox nodes status                    every node that answers within a second, with what it runs of the tenant
  mogbox nodes status --poll 2s          again every two seconds
  mogbox nodes status --wait 5s --json | jq -r '.nodes[].node_id'

Where requests come over RabbitMQ, workers of Mognet's answer as well. A node without requests of the tenant is listed too.")]
pub(super) struct Nodes {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ask every node what it runs.
    Status(Status),
}

#[derive(Args)]
struct Status {
    /// Time that nodes get to answer.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    wait: std::time::Duration,
    #[command(flatten)]
    poll: Poll,
}

impl Nodes {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let Command::Status(Status { wait, poll: every }) = self.command;
        let seconds = wait.as_secs_f64().to_string();
        poll(&every, &output, || {
            let list: NodeList = client.get("/v1/nodes", &[("seconds", &seconds)])?;
            if output.is_json() {
                return output.json(&list);
            }
            if list.nodes.is_empty() {
                output.note("no node answered in time: --wait gives them longer");
            }
            let rows: Vec<_> = list.nodes.iter().map(row).collect();
            Ok(output.table(&["NODE", "RUNNING REQUESTS"], &rows)?)
        })
    }
}

/// The cells of a node.
fn row(NodeView { node_id, running_requests, left_off }: &NodeView) -> Vec<String> {
    let more = (*left_off > 0).then(|| format!("… {left_off} more"));
    let labels: Vec<String> = running_requests.iter().map(label).chain(more).collect();
    vec![node_id.to_string(), if labels.is_empty() { "none".to_owned() } else { labels.join("\n") }]
}

/// A request in one line. Escaped.
pub(super) fn label(result: &RequestResult) -> String {
    let [task, arguments] = [&result.name, &result.request_kwargs_repr].map(|text| text.as_deref().unwrap_or(""));
    format!("{}  {}  {}({})", result.id, result.state, escape(if task.is_empty() { "unknown" } else { task }), escape(arguments))
}
