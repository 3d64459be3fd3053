//! `mogbox revoke`: stops a request and everything below it.

use clap::Args;
use mogbox_core::{RequestId, State};

use super::Common;
use super::client::request_path;
use crate::api::types::Revoked;

/// Stop a request and everything that it submitted.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox revoke 9b09b78c-688f-4d40-b7ba-1a1fb10215e2
  mogbox revoke \"$id\" --force        also what a request submitted that is done itself

A request that is done already stays as it is, with all that it submitted unless told otherwise.")]
pub(super) struct Revoke {
    /// The request.
    id: RequestId,
    /// Revoke what the request submitted also where it is done itself.
    #[arg(long)]
    force: bool,
}

impl Revoke {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let done: Revoked =
            client.post(&request_path(self.id, "/revoke"), &[("force", &self.force.to_string())], &serde_json::json!({}))?;
        if output.is_json() {
            return output.json(&done);
        }
        Ok(output.line(&told(&done))?)
    }
}

fn told(done: &Revoked) -> String {
    let Revoked { id, state, revoked, complete } = done;
    match revoked {
        0 => format!("request {id} was {state} already: nothing changed"),
        below if *state != State::Revoked => format!("request {id} was {state} already; revoked {below} below it"),
        1 => format!("revoked {id}"),
        more if *complete => format!("revoked {id} and {} below it", more - 1),
        more => format!("revoked {id} and {} below it; there are more of them than one call reaches", more - 1),
    }
}
