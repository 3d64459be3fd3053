//! `mogbox publish`: puts a component into a registry, where `mogbox push` and other tools find it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use mogbox_runtime::check_kind;
use serde::Serialize;

use super::Common;
use super::output::size;
use super::registry::{RegistryArgs, publish};
use crate::registry::{Found, Location, MAX_COMPONENT};

/// Put a component into an OCI registry.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox publish examples/add/target/mogbox/example-add.wasm oci://ghcr.io/owner/add:1.0
  mogbox publish add.wasm oci://localhost:5000/add:1.0       a registry on this machine, without TLS
  mogbox publish --json add.wasm oci://ghcr.io/owner/add:1.0

It is kept as `wkg oci push` keeps it. What is printed names it by its digest, which never means anything else.
Logins are docker's (`docker login`), or MOGBOX_REGISTRY_USER and MOGBOX_REGISTRY_PASSWORD.")]
pub(super) struct Publish {
    /// The component, a .wasm file as `mogbox build` makes it.
    file: PathBuf,
    /// Where to, such as oci://ghcr.io/owner/add:1.0.
    #[arg(value_name = "oci://HOST/REPOSITORY:TAG")]
    location: Location,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was published.
#[derive(Serialize)]
struct Published<'a> {
    tag: String,
    #[serde(flatten)]
    found: &'a Found,
}

impl Publish {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let output = common.output();
        let component = read(&self.file)?;
        let tag = self.location.to_string();
        let registry = self.registry.open(self.location)?;
        let published = publish(&registry, component, &output).with_context(|| format!("{} was not published", self.file.display()))?;
        if output.is_json() {
            return output.json(&Published { tag, found: &published });
        }
        output.line(&format!("published {tag} ({}, digest {})", size(published.size), published.component.short()))?;
        Ok(output.line(&published.reference)?)
    }
}

/// Reads a file that is a component, as far as its first bytes tell.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("cannot read {}: `mogbox build` makes a component and prints where it is", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_COMPONENT + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_COMPONENT) {
        bail!("{} is over {}, the maximum of the bound module", path.display(), size(MAX_COMPONENT));
    }
    check_kind(&bytes).map_err(|fault| anyhow!("{} is no component: {fault}", path.display()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wasm");
        for (bytes, expected) in [(&b"text"[..], "it is text"), (b"", "it is empty"), (b"\0asm\x01\0\0\0", "core module")] {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("x.wasm") && error.contains(expected), "{error}");
        }
        assert!(format!("{:#}", read(&folder.path().join("none")).unwrap_err()).contains("mogbox build"));
    }
}
