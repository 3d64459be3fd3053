//! The web of the sandbox under test: hosts whose names say how they answer.

use std::sync::Arc;

use async_trait::async_trait;
use mogbox_core::Tenant;
use mogbox_core::outgoing::{Fetch, FetchBounds, FetchError, OutgoingRequest, OutgoingResponse};

use super::Memory;

/// One attempt's hold on the web: says when it is dropped, with all else that the attempt reaches.
pub(super) struct Parting(pub(super) Arc<Memory>);

#[async_trait]
impl Fetch for Parting {
    async fn fetch(&self, tenant: &Tenant, request: OutgoingRequest, within: FetchBounds) -> Result<OutgoingResponse, FetchError> {
        self.0.fetch(tenant, request, within).await
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        self.0.parted.add_permits(1);
    }
}

#[async_trait]
impl Fetch for Memory {
    /// `never` does not answer, `large` answers 100,000 bytes, any other host what it was sent.
    async fn fetch(&self, _: &Tenant, request: OutgoingRequest, within: FetchBounds) -> Result<OutgoingResponse, FetchError> {
        assert!(!self.started.lock().unwrap().is_empty(), "no attempt has a start");
        let body = match request.target.host() {
            "never" => {
                self.never().await;
                Vec::new()
            }
            "large" => vec![b'x'; 100_000],
            _ => request.body,
        };
        let answer = OutgoingResponse { status: 200, headers: request.headers, body };
        if answer.size() > within.answer {
            return Err(FetchError::OverBound("the answer is too large".into()));
        }
        Ok(answer)
    }
}
