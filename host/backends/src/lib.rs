//! Brokers and stores of Mogbox, on Redis and on an embedded SQLite file. The only crate that knows either; knows no
//! WebAssembly and no HTTP.

mod error;
mod modules;
mod results;
mod topics;

pub mod broker;
pub mod embedded;
pub mod redis;

pub use error::{BackendError, OpenError};
