//! `mogbox tasks`: what is done to requests, under the names that users of Mognet's command line know.

use clap::{Args, Subcommand};

use super::Common;
use super::get::Get;
use super::revoke::Revoke;
use super::tree::TreeArgs;

/// The commands for requests under the names that Mognet's command line gives them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox tasks get 9b09b78c-688f-4d40-b7ba-1a1fb10215e2        the same as mogbox get
  mogbox tasks revoke \"$id\" --force                          the same as mogbox revoke
  mogbox tasks tree \"$id\" --max-depth 5 --json               the same as mogbox tree")]
pub(super) struct Tasks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show a request.
    Get(Get),
    /// Stop a request and everything that it submitted.
    Revoke(Revoke),
    /// Show a request with what it submitted.
    Tree(TreeArgs),
}

impl Tasks {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        match self.command {
            Command::Get(command) => command.run(common),
            Command::Revoke(command) => command.run(common),
            Command::Tree(command) => command.run(common),
        }
    }
}
