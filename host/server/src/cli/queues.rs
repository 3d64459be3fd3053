//! `mogbox queues`: what lies in queues, and how one is emptied.

use anyhow::bail;
use clap::{Args, Subcommand};
use mogbox_core::QueueName;

use super::Common;
use super::client::queue_path;
use super::poll::{Poll, poll};
use crate::api::types::{Purged, QueueList, QueueView};

/// Show what lies in queues, or empty one.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox queues status                          how much of the tenant lies in each queue of the node
  mogbox queues status --poll 2s                again every two seconds
  mogbox queues purge tasks --force             remove and revoke what nobody runs now

A node knows the queues that it takes requests from. What runs is not touched by a purge: `mogbox revoke` stops it.")]
pub(super) struct Queues {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count what of the tenant lies in each queue.
    Status(Poll),
    /// Remove the tenant's requests that nobody runs now, and revoke them with all below them.
    Purge(Purge),
}

#[derive(Args)]
struct Purge {
    /// The queue.
    #[arg(default_value = "tasks")]
    queue: QueueName,
    /// Say that you mean it: what is removed never runs.
    #[arg(long)]
    force: bool,
}

impl Queues {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        match self.command {
            Command::Status(every) => status(&every, common),
            Command::Purge(purge) => purge.run(common),
        }
    }
}

fn status(every: &Poll, common: &Common) -> anyhow::Result<()> {
    let (client, output) = (common.client()?, common.output());
    poll(every, &output, || {
        let list: QueueList = client.get("/v1/queues", &[])?;
        if output.is_json() {
            return output.json(&list);
        }
        let rows: Vec<_> = list.queues.iter().map(row).collect();
        Ok(output.table(&["QUEUE", "READY", "DELAYED", "RUNNING", "DEAD"], &rows)?)
    })
}

fn row(QueueView { name, backlog }: &QueueView) -> Vec<String> {
    let counts = [backlog.ready, backlog.delayed, backlog.leased, backlog.dead];
    std::iter::once(name.to_string()).chain(counts.iter().map(ToString::to_string)).collect()
}

impl Purge {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let Self { queue, force } = self;
        if !force {
            bail!("what is purged never runs: say --force to remove all requests of the tenant that wait in queue {queue}");
        }
        let (client, output) = (common.client()?, common.output());
        let done: Purged = client.delete(&queue_path(&queue, "/requests"), &[])?;
        if output.is_json() {
            return output.json(&done);
        }
        let more = if done.complete { "" } else { "; there are more: run this again" };
        Ok(output.line(&format!("purged {} requests of queue {}{more}", done.purged, done.queue))?)
    }
}
