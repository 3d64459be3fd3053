//! The guests of these tests.

pub(crate) use mogbox_fixtures::guest::{CONFIG, CONTEXT, Guest, HTTP, LOG, ONE_TASK, REQUESTS, STATE, WASI, compile_bomb, padded};
