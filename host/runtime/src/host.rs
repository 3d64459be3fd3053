//! The host functions, one file an interface of the WIT: each counts the call, checks what came, and makes one call of
//! the attempt's context. An error of that call goes to the guest; going over the bounds on host calls ends the attempt.

pub(crate) mod config;
mod context;
mod log;
pub(crate) mod outgoing;
mod requests;
mod state;

use mogbox_core::ContextError;

use crate::bindings::mogbox::task::types;
use crate::convert;
use crate::guest::Guest;

/// What a host function returns: a trap, or what the guest is told.
type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl types::Host for Guest {}

impl Guest {
    /// Counts the bytes of an answer and turns it into the guest's types.
    fn reply<T, G>(&mut self, answer: Result<T, ContextError>, size: impl FnOnce(&T) -> usize, to_guest: impl FnOnce(T) -> G) -> Answer<G> {
        match answer {
            Ok(value) => {
                self.usage.answer(size(&value))?;
                Ok(Ok(to_guest(value)))
            }
            Err(error) => {
                let error = convert::guest_error(error);
                self.usage.answer(error_size(&error))?;
                Ok(Err(error))
            }
        }
    }
}

fn error_size(error: &types::Error) -> usize {
    use types::Error::{Denied, Invalid, Limit, NotFound, TooLarge, Unavailable};
    match error {
        Denied(text) | TooLarge(text) | Limit(text) | NotFound(text) | Invalid(text) | Unavailable(text) => text.len(),
    }
}
