//! Brokers and stores of Mogbox, on Redis, RabbitMQ and an embedded SQLite file. The only crate that knows any of these; knows no
//! WebAssembly and no HTTP.

mod error;
mod modules;
mod results;
mod tenants;
mod topics;

pub mod amqp;
pub mod broker;
pub mod embedded;
pub mod redis;

pub use error::{BackendError, OpenError};
