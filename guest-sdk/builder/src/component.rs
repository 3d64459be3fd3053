//! From what the compiler made to a component file.

use std::fs;
use std::path::Path;

use wit_component::ComponentEncoder;

use crate::Component;
use crate::cargo::Artifact;
use crate::error::BuildError;

/// The first eight bytes of every component; a core module has another version.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Writes the component of an artifact, unless the file holds it already.
pub(crate) fn write(artifact: &Artifact, output: &Path) -> Result<Component, BuildError> {
    let compiled = fs::read(&artifact.wasm).map_err(BuildError::io(format!("read {}", artifact.wasm.display())))?;
    let bytes = if compiled.starts_with(COMPONENT) { compiled } else { wrap(&compiled, &artifact.package)? };
    let path = output.join(format!("{}.wasm", artifact.package));
    if fs::read(&path).ok().as_deref() != Some(bytes.as_slice()) {
        replace(&path, output, &bytes)?;
    }
    Ok(Component { package: artifact.package.clone(), path, size: bytes.len() as u64 })
}

/// Makes a component of a core module, by the description of its world that the bindings left in it.
fn wrap(module: &[u8], package: &str) -> Result<Vec<u8>, BuildError> {
    let encode = || ComponentEncoder::default().module(module)?.validate(true).encode();
    encode().map_err(|error| BuildError::NoComponent { package: package.to_owned(), message: format!("{error:#}") })
}

/// Readers of the file see the old component or the new one, never a part.
fn replace(path: &Path, output: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let failed = || BuildError::io(format!("write {}", path.display()));
    fs::create_dir_all(output).map_err(failed())?;
    let unfinished = path.with_extension(format!("{}.part", std::process::id()));
    fs::write(&unfinished, bytes).map_err(failed())?;
    fs::rename(&unfinished, path).map_err(failed())
}
