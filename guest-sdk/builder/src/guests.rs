//! Which packages of a manifest are guests.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::environment;
use crate::error::BuildError;

/// A package to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) package: String,
    pub(crate) manifest: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

impl Package {
    fn is_guest(&self) -> bool {
        self.targets.iter().any(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
    }
}

/// The absolute path of a manifest, given as a file or as the folder that holds it.
pub(crate) fn manifest_file(given: &Path) -> Result<PathBuf, BuildError> {
    let file = if given.is_dir() { given.join("Cargo.toml") } else { given.to_owned() };
    file.canonicalize().map_err(BuildError::io(format!("read {}", file.display())))
}

/// The guests to build.
pub(crate) fn find(manifest: &Path, named: &[String]) -> Result<Vec<Guest>, BuildError> {
    let metadata = read_metadata(manifest)?;
    choose(&metadata.packages, manifest, named).map_err(|message| BuildError::Manifest { manifest: manifest.to_owned(), message })
}

fn read_metadata(manifest: &Path) -> Result<Metadata, BuildError> {
    let mut cargo = environment::cargo(manifest.parent());
    cargo.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]).arg(manifest);
    let answer = cargo.output().map_err(BuildError::io("start cargo"))?;
    let malformed = |message: String| BuildError::Manifest { manifest: manifest.to_owned(), message };
    if !answer.status.success() {
        return Err(malformed(String::from_utf8_lossy(&answer.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&answer.stdout).map_err(|error| malformed(format!("cargo metadata gave no metadata: {error}")))
}

fn choose(packages: &[Package], manifest: &Path, named: &[String]) -> Result<Vec<Guest>, String> {
    if let Some(stranger) = named.iter().find(|name| !packages.iter().any(|package| package.name == **name)) {
        return Err(format!("no package {stranger:?}: it has {}", names(packages.iter())));
    }
    let own = packages.iter().find(|package| package.manifest_path == manifest);
    let asked: Vec<&Package> = match own {
        _ if !named.is_empty() => packages.iter().filter(|package| named.contains(&package.name)).collect(),
        Some(own) => vec![own],
        None => packages.iter().filter(|package| package.is_guest()).collect(),
    };
    match asked.iter().find(|package| !package.is_guest()) {
        Some(other) => Err(format!("package {:?} is no guest: add `[lib]` with `crate-type = [\"cdylib\"]` to its manifest", other.name)),
        None if asked.is_empty() => Err("no package with `crate-type = [\"cdylib\"]`, which a guest needs".to_owned()),
        None => Ok(asked.iter().map(|package| Guest { package: package.name.clone(), manifest: package.manifest_path.clone() }).collect()),
    }
}

fn names<'a>(packages: impl Iterator<Item = &'a Package>) -> String {
    packages.map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, kind: &str) -> Package {
        let targets = vec![Target { crate_types: vec![kind.to_owned()] }];
        Package { name: name.to_owned(), manifest_path: format!("/w/{name}/Cargo.toml").into(), targets }
    }

    fn chosen(manifest: &str, named: &[&str]) -> Result<Vec<String>, String> {
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        let packages = [package("a", "cdylib"), package("b", "lib"), package("c", "cdylib")];
        Ok(choose(&packages, Path::new(manifest), &named)?.into_iter().map(|guest| guest.package).collect())
    }

    #[test]
    fn a_workspace_gives_all_of_its_guests_and_a_crate_itself() {
        assert_eq!(chosen("/w/Cargo.toml", &[]).unwrap(), ["a", "c"]);
        assert_eq!(chosen("/w/c/Cargo.toml", &[]).unwrap(), ["c"]);
        assert_eq!(chosen("/w/c/Cargo.toml", &["a"]).unwrap(), ["a"]);
    }

    #[test]
    fn a_package_that_is_none_or_no_guest_is_refused_with_the_way_out() {
        assert_eq!(chosen("/w/Cargo.toml", &["d"]).unwrap_err(), "no package \"d\": it has a, b, c");
        let text = chosen("/w/b/Cargo.toml", &[]).unwrap_err();
        assert_eq!(text, "package \"b\" is no guest: add `[lib]` with `crate-type = [\"cdylib\"]` to its manifest");
    }
}
