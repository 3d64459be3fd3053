//! The worker: takes deliveries, runs them, settles them.

pub mod capacity;
