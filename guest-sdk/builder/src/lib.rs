//! Builds guests written in Rust into components, with whatever WebAssembly compiler the machine has: for `mogbox build` and for
//! build scripts. Knows cargo, rustc and the component format; nothing of the host or of what a guest does.

mod cargo;
mod compiler;
mod component;
mod environment;
mod error;
mod guests;

use std::path::PathBuf;

pub use error::BuildError;

/// What to build, and where to.
///
/// ```no_run
/// # use mogbox_guest_builder::{Build, Progress};
/// let build = Build {
///     manifest: "examples/add".into(),
///     packages: Vec::new(),
///     target_dir: "target/guests".into(),
///     output: "target/components".into(),
/// };
/// let components = build.run(|event| {
///     if let Progress::Cargo(line) = event {
///         eprintln!("{line}");
///     }
/// })?;
/// assert_eq!(components[0].package, "example-add");
/// # Ok::<(), mogbox_guest_builder::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Build {
    /// The `Cargo.toml` of a crate or of a workspace, or the folder that holds it.
    pub manifest: PathBuf,
    /// Names of the packages to build; where empty, the crate of `manifest`, or every guest (a package with a `cdylib`) of the workspace.
    pub packages: Vec<String>,
    /// Where cargo keeps what it compiled. One folder for many guests compiles what they share once; it must not be the
    /// target folder of a cargo that is running, such as the one that runs a build script.
    pub target_dir: PathBuf,
    /// The folder that gets one `PACKAGE.wasm` for each guest.
    pub output: PathBuf,
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The package it comes from.
    pub package: String,
    /// The file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub size: u64,
}

/// What a build tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The compiler that was found, for people.
    Compiler(String),
    /// A line that cargo says: what it compiles, warnings, errors.
    Cargo(String),
    /// A component is ready.
    Ready(Component),
}

impl Build {
    /// Builds every guest with one call of cargo. A component that came out as it was is not written again, so that nothing that
    /// watches the file is woken.
    ///
    /// # Errors
    /// Where the machine has no compiler for WebAssembly, the manifest names no guest, a guest does not compile, or a file cannot
    /// be read or written.
    pub fn run(&self, mut progress: impl FnMut(Progress)) -> Result<Vec<Component>, BuildError> {
        let manifest = guests::manifest_file(&self.manifest)?;
        let packages = guests::find(&manifest, &self.packages)?;
        let compiler = compiler::find(manifest.parent())?;
        progress(Progress::Compiler(compiler.to_string()));
        let artifacts = cargo::build(&manifest, &packages, &self.target_dir, &compiler, &mut progress)?;
        let mut components = Vec::new();
        for artifact in artifacts {
            let component = component::write(&artifact, &self.output)?;
            progress(Progress::Ready(component.clone()));
            components.push(component);
        }
        Ok(components)
    }
}
