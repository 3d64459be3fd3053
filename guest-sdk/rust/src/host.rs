//! The host behind a context: that of the node in WebAssembly, one in memory everywhere else. Both have the same methods.

#[cfg(not(target_family = "wasm"))]
mod memory;
#[cfg(target_family = "wasm")]
mod node;

#[cfg(not(target_family = "wasm"))]
pub(crate) use memory::{Host, World};
#[cfg(target_family = "wasm")]
pub(crate) use node::Host;
