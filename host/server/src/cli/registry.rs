//! What the commands that talk to a registry share: how they say who they are, and one call after another on a thread of their own.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::output::Output;
use super::push::style;
use crate::registry::{Access, Found, Location, Registry};

/// How a registry is reached.
#[derive(Args)]
#[command(next_help_heading = "For registries")]
pub(super) struct RegistryArgs {
    /// The user; where absent, the login that docker has for the registry.
    #[arg(long, env = "MOGBOX_REGISTRY_USER", hide_env_values = true, value_name = "NAME")]
    registry_user: Option<String>,
    /// The password or token of that user; better given by the environment, which other users do not see.
    #[arg(long, env = "MOGBOX_REGISTRY_PASSWORD", hide_env_values = true, value_name = "TEXT")]
    registry_password: Option<String>,
    /// Speak to the registry without TLS; registries on this machine are spoken to so in any case.
    #[arg(long)]
    insecure_http: bool,
}

impl RegistryArgs {
    /// A client of the registry.
    pub(super) fn open(self, location: Location) -> anyhow::Result<Registry> {
        let login = match (self.registry_user, self.registry_password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => bail!("there is a user for the registry and no password: set MOGBOX_REGISTRY_PASSWORD, or neither"),
            (None, Some(_)) => bail!("there is a password for the registry and no user: set MOGBOX_REGISTRY_USER, or neither"),
        };
        Registry::open(location, Access { login, insecure_http: self.insecure_http })
    }
}

/// Fetches a component with a bar that moves.
pub(super) fn fetch(registry: &Registry, file: &mut impl Write, output: &Output) -> anyhow::Result<Found> {
    wait_for(async {
        let found = registry.find().await?;
        let bar = shown(ProgressBar::with_draw_target(Some(found.size), ProgressDrawTarget::stderr()), output);
        bar.set_style(style("{spinner:.cyan} [{bar:30.cyan}] {bytes}/{total_bytes} from the registry").progress_chars("=> "));
        let fetched = registry.fetch(&found, file, |size| bar.set_position(size)).await;
        bar.finish_and_clear();
        fetched.map(|()| found)
    })
}

/// Publishes a component while a spinner turns.
pub(super) fn publish(registry: &Registry, component: Vec<u8>, output: &Output) -> anyhow::Result<Found> {
    let bar = shown(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()), output);
    bar.set_style(style("{spinner:.cyan} {wide_msg}"));
    bar.set_message("the registry takes it");
    let published = wait_for(registry.publish(component));
    bar.finish_and_clear();
    published
}

fn shown(bar: ProgressBar, output: &Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start calls to a registry")?;
    runtime.block_on(work)
}
