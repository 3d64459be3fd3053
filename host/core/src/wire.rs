//! Mognet's wire format: how the words of this crate are written in messages and in Redis. Facts, not choices of ours.

pub mod broadcast;
pub mod control;
pub mod deadline;
pub mod envelope;
mod error;
mod exception;
mod pickle;
pub mod repr;
pub mod result;
pub mod value;

pub use error::WireError;
