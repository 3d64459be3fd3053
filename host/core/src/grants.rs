//! What a tenant's tasks are granted beside the calls that every task has: where they may send requests, and what they are configured
//! with. Nothing, unless somebody says otherwise.

use std::sync::Arc;

use crate::config::OpenConfig;
use crate::outgoing::HttpRules;

/// Grants of one tenant; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Where its tasks may send requests.
    pub http: Arc<HttpRules>,
    /// What its tasks are configured with, with its secrets opened.
    pub config: Arc<OpenConfig>,
}
