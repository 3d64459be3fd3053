//! What the `mogbox` binary is made of: a node with its API, and the command line that talks to one. A library for the sake of its
//! two ways in, which strangers' bytes can take without a process.

mod api;
mod bench;
mod cli;
mod escape;
mod logging;
mod node;
mod outgoing;
mod registry;

use std::path::Path;

use axum::Router;
use mogbox_core::Limits;

pub use cli::{Cli, run};

/// The API of a node that has no worker, on the embedded store in a folder: requests stay as they are.
///
/// # Errors
/// Where the folder cannot be used, or the machine refuses the memory for a sandbox.
pub async fn api_without_worker(folder: &Path, limits: Limits) -> anyhow::Result<Router> {
    Ok(api::router(node::open_api(folder, limits).await?))
}
