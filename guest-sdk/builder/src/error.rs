//! Why a build gave no components. Every text names the way out.

use std::path::PathBuf;

/// What to do where no compiler can make WebAssembly.
const INSTALL: &str = "install one: `rustup target add wasm32-wasip2`; or, on Debian, `apt-get install rustc-web rust-web-src`";

/// Why a build gave no components.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The machine cannot compile Rust to WebAssembly.
    #[error("no compiler for WebAssembly ({found}): {INSTALL}")]
    NoCompiler {
        /// What was looked at.
        found: String,
    },
    /// The manifest cannot be used.
    #[error("{manifest}: {message}", manifest = manifest.display())]
    Manifest {
        /// The file.
        manifest: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A guest does not compile.
    #[error("cargo build failed\n{output}")]
    Compile {
        /// What cargo said.
        output: String,
    },
    /// What was compiled is no component.
    #[error("package {package} gives no component: {message}")]
    NoComponent {
        /// The package.
        package: String,
        /// Why.
        message: String,
    },
    /// A file or a program could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The file or program, and what was to be done with it.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl BuildError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
