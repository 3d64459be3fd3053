//! `mogbox build`: tasks written in Rust become components, by the guest builder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use mogbox_guest_builder::{Build, Component, Progress};

use super::Common;
use super::output::{Output, size};
use crate::escape::escape;

/// Build tasks written in Rust into components.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox build                                  the crate in this folder
  mogbox build examples/add                     prints where the component is
  mogbox build examples --output out            every crate in this folder, into the folder out
  mogbox build . --package example-add          one guest of a workspace

Needs a Rust compiler for WebAssembly: `rustup target add wasm32-wasip2`, or Debian's rustc-web and
rust-web-src.")]
pub(super) struct BuildArgs {
    /// The folder of a crate, a workspace or several crates, or a Cargo.toml.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Build this package only; may be given several times.
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,
    /// Where to put the components; PATH/target/mogbox where absent.
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Where cargo keeps what it compiles, in a folder `guests`; PATH/target where absent.
    #[arg(long, value_name = "FOLDER", env = "CARGO_TARGET_DIR", hide_env_values = true)]
    target_dir: Option<PathBuf>,
}

impl BuildArgs {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let shown = common.output();
        let manifests = manifests(&self.path)?;
        let own = folder(&self.path).join("target");
        let output = self.output.unwrap_or_else(|| own.join("mogbox"));
        // A folder of its own in there: another cargo that runs in the same place would wait for this one, or this one for it.
        let target_dir = self.target_dir.unwrap_or(own).join("guests");
        let bar = if shown.is_json() { ProgressBar::hidden() } else { ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()) };
        bar.enable_steady_tick(Duration::from_millis(100));
        let mut built = Vec::new();
        for manifest in manifests {
            let build = Build { manifest, packages: self.package.clone(), target_dir: target_dir.clone(), output: output.clone() };
            built.extend(build.run(|progress| follow(&bar, &progress)).inspect_err(|_| bar.finish_and_clear())?);
        }
        bar.finish_and_clear();
        report(&shown, &built)
    }
}

/// The manifest of a path, or those of the folders in it.
fn manifests(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() || path.join("Cargo.toml").is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folders = entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = folders.filter(|folder| folder.join("Cargo.toml").is_file()).collect();
    found.sort();
    if found.is_empty() {
        bail!("{} has no Cargo.toml, nor has a folder in it: give the folder of a crate, such as examples/add", path.display());
    }
    Ok(found)
}

/// The folder of a manifest.
fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|_| path.extension().is_some_and(|ending| ending == "toml"));
    parent.unwrap_or(path).to_path_buf()
}

fn follow(bar: &ProgressBar, progress: &Progress) {
    match progress {
        Progress::Compiler(text) | Progress::Cargo(text) => bar.set_message(escape(text).into_owned()),
        Progress::Ready(component) => bar.set_message(format!("built {}", escape(&component.package))),
    }
}

fn report(output: &Output, components: &[Component]) -> anyhow::Result<()> {
    if output.is_json() {
        let list: Vec<_> = components
            .iter()
            .map(|component| serde_json::json!({"package": component.package, "path": component.path, "size": component.size}))
            .collect();
        return output.json(&list);
    }
    for component in components {
        let path = component.path.display().to_string();
        output.line(&escape(&format!("built {} ({})", path, size(component.size))))?;
    }
    if let Some(first) = components.first() {
        output.note(&escape(&format!("`mogbox push {}` uploads it", first.path.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_crates_stands_for_each_of_them() {
        let folder = tempfile::tempdir().unwrap();
        assert!(manifests(folder.path()).unwrap_err().to_string().contains("has no Cargo.toml"));
        for name in ["b", "a", "none"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["a", "b"] {
            std::fs::write(folder.path().join(name).join("Cargo.toml"), "").unwrap();
        }
        assert_eq!(manifests(folder.path()).unwrap(), [folder.path().join("a"), folder.path().join("b")]);
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(manifests(folder.path()).unwrap(), [folder.path()]);
    }

    #[test]
    fn a_manifest_stands_for_its_folder() {
        assert_eq!(folder(Path::new("examples/add/Cargo.toml")), Path::new("examples/add"));
        assert_eq!(folder(Path::new("examples/add")), Path::new("examples/add"));
        assert_eq!(folder(Path::new(".")), Path::new("."));
    }
}
