//! Every target, one file each.

mod answers;
mod arguments;
mod command_line;
mod configuration;
mod context;
mod control;
mod deadline;
mod documents;
mod exceptions;
mod http;
mod log;
mod message;
mod module;
mod requests;
mod result;
mod state;
mod value;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[
    answers::TARGET,
    arguments::TARGET,
    command_line::TARGET,
    configuration::TARGET,
    context::TARGET,
    control::TARGET,
    deadline::TARGET,
    documents::TARGET,
    exceptions::TARGET,
    http::TARGET,
    log::TARGET,
    message::TARGET,
    module::TARGET,
    requests::TARGET,
    result::TARGET,
    state::TARGET,
    value::TARGET,
];

/// Bytes that an error about a stranger's text may have.
const LONGEST_ERROR: usize = 2_000;

/// An error that shows a stranger's text shows its beginning only.
fn check_error(error: &impl std::fmt::Display) {
    let text = error.to_string();
    assert!(text.len() <= LONGEST_ERROR, "an error of {} bytes: {text}", text.len());
}
