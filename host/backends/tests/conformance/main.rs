//! One suite for all backends: every test runs, under the same name, on a real Redis server and on the embedded database.

#[cfg(test)]
mod broker;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod store;
