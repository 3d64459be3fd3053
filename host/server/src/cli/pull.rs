//! `mogbox pull`: fetches a component from a registry into a file.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::Common;
use super::output::size;
use super::registry::{RegistryArgs, fetch};
use crate::registry::Location;

/// Fetch a component from an OCI registry into a file.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox pull oci://ghcr.io/owner/add:1.0 -o add.wasm
  mogbox pull oci://localhost:5000/add@sha256:… -o add.wasm   these very bytes, or none

The digest is checked before the file is there. `mogbox push oci://…` brings it to a node without a file between.")]
pub(super) struct Pull {
    /// Where from, by tag or digest.
    #[arg(value_name = "oci://HOST/REPOSITORY:TAG|@DIGEST")]
    location: Location,
    /// The file to write; one that is there is replaced.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Pull {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let output = common.output();
        let path = &self.output;
        let unwritable = || format!("cannot write {}", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Readable for whoever the user's mask allows, as any other file; a temporary one is not.
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder).with_context(unwritable)?;
        let found = fetch(&self.registry.open(self.location)?, &mut file, &output)?;
        file.persist(path).with_context(unwritable)?;
        if output.is_json() {
            return output.json(&found);
        }
        Ok(output.line(&format!("fetched {} ({}, digest {})", path.display(), size(found.size), found.component.short()))?)
    }
}
