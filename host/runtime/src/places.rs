//! How many guests may be alive at once on this node, running or waiting.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for guests.
pub(crate) struct Places {
    limit: u32,
    free: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, free: Arc::new(Semaphore::new(limit as usize)) }
    }

    /// A place, free again when dropped; none where all are taken.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    pub(crate) fn none_left(&self) -> String {
        format!("{} guests are alive on this node, which is all that it takes (max_instances)", self.limit)
    }
}
