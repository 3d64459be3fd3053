//! `mogbox get`: everything that is known of a request.

use clap::Args;
use mogbox_core::RequestId;

use super::Common;
use super::client::request_path;
use super::show::show_request;
use crate::api::types::RequestView;

/// Show a request.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox get 9b09b78c-688f-4d40-b7ba-1a1fb10215e2
  mogbox get \"$id\" --json | jq .state")]
pub(super) struct Get {
    /// The request, as `mogbox submit` printed it.
    id: RequestId,
}

impl Get {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let view: RequestView = client.get(&request_path(self.id, ""), &[])?;
        if output.is_json() {
            return output.json(&view);
        }
        show_request(&view, jiff::Timestamp::now()).iter().try_for_each(|line| output.line(line))?;
        Ok(())
    }
}
