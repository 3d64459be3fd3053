//! Filled by the broker.

/// Its tables.
pub(super) const SCHEMA: &str = "";
