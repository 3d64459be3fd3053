//! Filled by the broker.
