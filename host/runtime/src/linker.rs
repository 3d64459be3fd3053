//! Everything that a guest may import: our interfaces, WASI 0.2 with nothing granted, and what a tenant may be granted.

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::{Task, TaskPre};
use crate::guest::Guest;
use crate::host::{config, outgoing};

/// The linker of all guests.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    Task::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    outgoing::add_to_linker(&mut linker)?;
    config::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// A component with its imports linked and its exports found.
pub(crate) fn link(linker: &Linker<Guest>, component: &Component) -> wasmtime::Result<TaskPre<Guest>> {
    TaskPre::new(linker.instantiate_pre(component)?)
}
