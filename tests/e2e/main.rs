//! End-to-end tests over the real faces: the binary, its API and command line, real servers, real guests, the real Mognet client.

mod support;

mod bounds;
mod command_line;
mod demonstration;
mod hostile;
mod metadata;
mod mognet_client;
mod nodes;
mod readme;
mod samples;
mod tasks;
mod tidy;
mod uploads;
