//! Where a component is compiled, by which compiler, and what becomes of the file that comes out. Blocks.

use std::fs::File;
use std::io;
use std::sync::Arc;

use mogbox_core::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::CompilerSettings;
use crate::artifacts::{self, Artifacts, NotLoadable};
use crate::cache::NotCompiled;

/// What it takes to compile one module.
pub(crate) struct Workshop {
    pub(crate) engine: Engine,
    /// None compiles in this process.
    pub(crate) compiler: Option<CompilerSettings>,
    pub(crate) artifacts: Option<Arc<Artifacts>>,
}

impl Workshop {
    /// The component, ready to be linked. Where there is a folder for compiled modules, it is kept there.
    pub(crate) fn make(&self, digest: &Digest, bytes: &[u8]) -> Result<Component, NotCompiled> {
        let component = match (&self.compiler, &self.artifacts) {
            (Some(compiler), Some(artifacts)) => self.kept(compiler, artifacts, digest, bytes),
            (Some(compiler), None) => {
                let file = artifacts::in_memory().map_err(|error| no_file(&error))?;
                self.compile(compiler, bytes, &file)
            }
            (None, _) => self.here(digest, bytes),
        }?;
        component.initialize_copy_on_write_image().map_err(|error| NotCompiled::Refused(format!("{error:#}")))?;
        Ok(component)
    }

    fn kept(&self, compiler: &CompilerSettings, artifacts: &Artifacts, digest: &Digest, bytes: &[u8]) -> Result<Component, NotCompiled> {
        let file = artifacts.unfinished().map_err(|error| no_file(&error))?;
        let component = self.compile(compiler, bytes, file.as_file())?;
        artifacts.keep(digest, file);
        Ok(component)
    }

    fn compile(&self, compiler: &CompilerSettings, bytes: &[u8], file: &File) -> Result<Component, NotCompiled> {
        compiler.compile(bytes, file)?;
        artifacts::load_new(&self.engine, file).map_err(|error| match error {
            NotLoadable::TooMuch(text) => NotCompiled::Invalid(text),
            NotLoadable::Garbage(text) => {
                NotCompiled::Refused(format!("what the compiler of modules, {}, wrote cannot be used: {text}", compiler.program.display()))
            }
        })
    }

    fn here(&self, digest: &Digest, bytes: &[u8]) -> Result<Component, NotCompiled> {
        let component = Component::from_binary(&self.engine, bytes).map_err(|error| NotCompiled::of(&error))?;
        if let Some(artifacts) = &self.artifacts {
            artifacts.store(digest, &component);
        }
        Ok(component)
    }
}

fn no_file(error: &io::Error) -> NotCompiled {
    NotCompiled::Refused(format!("there is no file for what is compiled: {error}"))
}
