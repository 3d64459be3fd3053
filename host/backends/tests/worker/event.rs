//! Something that happens once, told by one side of a test to the other.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// It has happened or not. A clone is the same one.
#[derive(Clone, Default)]
pub(crate) struct Event(CancellationToken);

impl Event {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn happens(&self) {
        self.0.cancel();
    }

    pub(crate) async fn happened(&self) {
        soon(self.0.cancelled()).await;
    }

    pub(crate) fn has_happened(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// The end of what never ends if the code is wrong.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("done within 30 s")
}
