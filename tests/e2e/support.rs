//! What the tests share: nodes, calls to their API, the command line, and the guests by name.

mod api;
mod cap;
mod command;
mod node;

pub(crate) use api::{Answer, Api};
pub(crate) use cap::MemoryCap;
pub(crate) use command::{Output, binary, mogbox, repository, run, untold};
pub(crate) use node::{Node, shared_node};

/// Paths of the guests' components, written by the build script.
pub(crate) mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}
