//! End-to-end tests over the real faces: the binary, its API and command line, real servers, real guests, the real Mognet client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what the tests share is called by tests alone: where it cannot go on, the test has failed"
)]

mod support;

mod bench;
mod bounds;
mod command_line;
mod compile;
mod demonstration;
mod fixed_bounds;
mod hostile;
mod isolation;
mod metadata;
mod mognet_client;
mod nodes;
mod outage;
mod outgoing;
mod promises;
mod readme;
mod registry;
mod samples;
mod storm;
mod tasks;
mod tenants;
mod tidy;
mod uploads;
