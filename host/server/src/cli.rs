//! The command line: what can be said, and what answers. Each command is a file of its own under `cli/`.

mod bench;
mod build;
pub(crate) mod client;
mod dead_letters;
mod get;
mod metadata;
mod modules;
mod nodes;
mod output;
mod poll;
mod progress;
mod publish;
mod pull;
mod push;
mod queues;
mod registry;
mod revoke;
mod serve;
mod show;
mod submit;
mod tasks;
mod tenants;
mod tokens;
mod tree;
mod usage;
mod values;
mod watch;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mogbox_core::Tenant;
use mogbox_core::tokens::Token;

use client::{Client, Refused};
use output::Output;

/// Runs tasks that are WebAssembly components, each request in a sandbox of its own.
#[derive(Parser)]
#[command(name = "mogbox", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
A first tour:
  mogbox serve                                   start a node (leave it running)
  mogbox build examples/add                      build a task written in Rust
  mogbox push examples/add/target/mogbox/example-add.wasm
  mogbox submit example.add 1 2 --wait           run it: prints 3.0
  mogbox submit example.add 1 2 --metadata user_id=dol
  mogbox get ID                                  state, value, metadata, log, receipt
  mogbox metadata ID --set note='\"from outside\"'

`mogbox COMMAND --help` shows examples of each command.";

/// What every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "For every command")]
struct Common {
    /// The node to talk to.
    #[arg(long, global = true, env = "MOGBOX_SERVER", hide_env_values = true, value_name = "URL", default_value = "http://127.0.0.1:7777")]
    server: String,
    /// Whose requests and modules; those of the token's tenant, or else of the tenant `default`, where absent.
    #[arg(long, global = true, env = "MOGBOX_TENANT", hide_env_values = true, value_name = "NAME")]
    tenant: Option<Tenant>,
    /// The token that lets you in, where the node asks for one; best given as the environment variable.
    #[arg(long, global = true, env = "MOGBOX_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Print JSON for scripts instead of text for people; what the node refuses is a problem on standard error.
    #[arg(long, global = true)]
    json: bool,
}

impl Common {
    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.server, self.tenant.clone(), self.token()?)
    }

    fn token(&self) -> anyhow::Result<Option<Token>> {
        Ok(self.token.as_deref().filter(|token| !token.is_empty()).map(|token| token.trim().parse()).transpose()?)
    }

    fn output(&self) -> Output {
        Output::new(self.json)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Start a node: it runs tasks and answers the API.
    Serve(serve::Serve),
    /// Build tasks written in Rust into components.
    Build(build::BuildArgs),
    /// Upload a component, from a file or a registry, and make it the active version of its module.
    Push(push::Push),
    /// Put a component into an OCI registry.
    Publish(publish::Publish),
    /// Fetch a component from an OCI registry into a file.
    Pull(pull::Pull),
    /// List modules, show one, or roll one back.
    Modules(modules::Modules),
    /// Submit a request.
    Submit(submit::Submit),
    /// Wait for a request and print its value.
    Wait(watch::Wait),
    /// Show a request: state, value, metadata, children, receipt, log.
    Get(get::Get),
    /// Read or write the metadata of a request.
    Metadata(metadata::Metadata),
    /// Stop a request and everything that it submitted.
    Revoke(revoke::Revoke),
    /// Show a request with what it submitted.
    Tree(tree::TreeArgs),
    /// The commands for requests under the names that Mognet's command line gives them.
    Tasks(tasks::Tasks),
    /// Show what every node runs.
    Nodes(nodes::Nodes),
    /// Show what lies in queues, or empty one.
    Queues(queues::Queues),
    /// List what was given up, with the reason.
    DeadLetters(dead_letters::DeadLetters),
    /// Make, list, limit, suspend or delete tenants.
    Tenants(tenants::Tenants),
    /// Make, list or remove the tokens that let callers in.
    Tokens(tokens::Tokens),
    /// Show what a tenant used, by day.
    Usage(usage::UsageArgs),
    /// Measure how fast this machine is with Mogbox.
    Bench(bench::BenchArgs),
}

/// Reads the command line, does what it says, and returns the exit code: 0 done, 1 an error, 2 not understood; `submit --wait`
/// and `wait` have codes of their own for how a request ended.
#[must_use]
pub fn run() -> ExitCode {
    // Nodes start this binary for each module that they compile: before anything else, so that the process has nothing to lose.
    if let Some(code) = mogbox_runtime::compile_child() {
        return code;
    }
    let Cli { common, command } = Cli::parse();
    let as_json = common.json;
    let done = match command {
        Command::Serve(command) => command.run().map(|()| ExitCode::SUCCESS),
        Command::Build(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Push(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Publish(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Pull(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Modules(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Submit(command) => command.run(&common),
        Command::Wait(command) => command.run(&common),
        Command::Get(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Metadata(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Revoke(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Tree(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Tasks(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Nodes(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Queues(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::DeadLetters(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Tenants(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Tokens(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Usage(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
        Command::Bench(command) => command.run(&common).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| fail(&error, as_json))
}

fn fail(error: &anyhow::Error, as_json: bool) -> ExitCode {
    let closed = error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe);
    if closed {
        // Whoever read our output has seen enough: `mogbox modules | head -1`.
        return ExitCode::SUCCESS;
    }
    match error.downcast_ref::<Refused>().filter(|_| as_json).map(|refused| serde_json::to_string(&refused.0)) {
        Some(Ok(problem)) => output::error_json(&problem),
        _ => output::error(&with_causes(error)),
    }
    ExitCode::FAILURE
}

/// An error with its causes, but for those that it quotes already.
fn with_causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_cause_is_told_twice() {
        let error = anyhow::anyhow!("c").context("a: c").context("b");
        assert_eq!(with_causes(&error), "b: a: c");
    }

    #[test]
    fn every_command_teaches_by_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("mogbox {}", command.get_name())), "{}", command.get_name());
        }
    }
}
