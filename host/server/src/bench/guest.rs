//! The module whose tasks the bench runs, checked by a node as any upload is.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use mogbox_core::module::{ModuleIndex, Version};
use mogbox_core::{Digest, TaskName};

use super::ground::Site;
use super::node::NodeOptions;
use crate::api::types::ModuleSummary;
use crate::cli::client::{Client, module_path};

/// The name that it gets at each tenant.
const NAME: &str = "bench";

/// The task that does nothing.
const NOOP: &str = "bench.noop";

/// The task that waits for a child.
const PARENT: &str = "bench.parent";

/// The task that computes.
const COMPUTE: &str = "bench.compute";

/// A module with a task that does nothing.
pub(super) struct Guest {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    /// The modules of a tenant that has this one alone.
    pub(super) index: ModuleIndex,
    pub(super) noop: TaskName,
    /// The task that waits for a child, where the module has it.
    pub(super) parent: Option<TaskName>,
    /// The task that computes, where the module has it.
    pub(super) compute: Option<TaskName>,
}

impl Guest {
    /// Reads a component and has a node check it.
    pub(super) async fn load(path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("cannot read {}: `make bench` builds it and measures with it", path.display());
        let bytes = std::fs::read(path).with_context(unreadable)?;
        let ground = Site::embedded().ground()?;
        let node = ground.node(&NodeOptions::small()).await?;
        let (url, sent) = (node.url.clone(), bytes.clone());
        let summary = tokio::task::spawn_blocking(move || push(&url, sent)).await??;
        node.process.stop().await?;
        Self::new(bytes, summary).with_context(|| format!("cannot measure with {}", path.display()))
    }

    fn new(bytes: Vec<u8>, summary: ModuleSummary) -> anyhow::Result<Self> {
        let find = |name: &str| summary.tasks.iter().map(|task| &task.name).find(|task| task.as_str() == name).cloned();
        let only = || summary.tasks.first().map(|task| task.name.clone()).filter(|_| summary.tasks.len() == 1);
        let Some(noop) = find(NOOP).or_else(only) else {
            bail!("it serves {} tasks and none of them is {NOOP}", summary.tasks.len());
        };
        let (parent, compute, digest) = (find(PARENT), find(COMPUTE), Digest::of(&bytes));
        let version = Version { digest, size: summary.size, uploaded: Timestamp::now(), tasks: summary.tasks, signed_by: None };
        let mut index = ModuleIndex::default();
        index.activate(NAME, version).map_err(|error| anyhow!(error))?;
        Ok(Self { bytes, digest, index, noop, parent, compute })
    }
}

fn push(url: &str, bytes: Vec<u8>) -> anyhow::Result<ModuleSummary> {
    let client = Client::new(url, None, None)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    client.upload(&module_path(NAME, ""), &[], length, None, &mut Cursor::new(bytes))
}
