//! How far attempts are kept apart from the node and from each other. A word of the host's: no guest is told.

use serde::{Deserialize, Serialize};

/// Where the attempts of a tenant run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// In the node's own process, each in a fresh sandbox.
    #[default]
    Shared,
    /// In a process that serves this tenant alone and reaches nothing but the node: what breaks out of its sandbox is still locked up.
    Process,
}
