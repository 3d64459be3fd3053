//! HTTP requests of a guest: checked against its tenant's rules and its bounds, then sent by the port, one whole request and one whole
//! answer a call.

use super::{ContextError, TaskContext};
use crate::executor::StopReason;
use crate::limits::Bound;
use crate::outgoing::{FetchBounds, FetchError, OutgoingRequest, OutgoingResponse};
use crate::report::HttpUse;

impl TaskContext {
    /// Sends a request and returns its answer. A redirect is an answer like any other: a guest that follows it sends another request,
    /// which is checked as this one is.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(&self, request: OutgoingRequest) -> Result<OutgoingResponse, FetchError> {
        let begun = self.http.begin(&request, &self.facts.limits)?;
        let answer = async {
            let (request, bounds) = self.permitted(request)?;
            self.in_time(self.store_start()).await.map_err(not_sent)?;
            begun.send(&self.facts.limits)?;
            self.send(request, bounds).await
        };
        let answer = answer.await;
        begun.end(&answer);
        answer
    }

    /// Bytes that HTTP requests may still bring in or out.
    #[must_use]
    pub fn http_bytes_left(&self) -> u64 {
        self.http.left(&self.facts.limits)
    }

    /// What was sent and got so far.
    #[must_use]
    pub fn http_use(&self) -> HttpUse {
        self.http.snapshot()
    }

    fn permitted(&self, request: OutgoingRequest) -> Result<(OutgoingRequest, FetchBounds), FetchError> {
        if self.facts.stop.reason() == Some(StopReason::LeaseLost) {
            return Err(FetchError::Denied(self.not_holder().to_string()));
        }
        let request = request.cleaned()?;
        let private = self.terms.grants.http.permit(&request)?.is_private();
        let bounds = FetchBounds {
            private,
            answer: usize::try_from(self.http_bytes_left().saturating_sub(request.size() as u64)).unwrap_or(usize::MAX),
            time: self.facts.limits.duration(Bound::HttpTime),
            concurrency: self.facts.limits.length(Bound::HttpConcurrency),
        };
        Ok((request, bounds))
    }

    async fn send(&self, request: OutgoingRequest, bounds: FetchBounds) -> Result<OutgoingResponse, FetchError> {
        let call = self.services.fetch.fetch(&self.lease.tenant, request, bounds);
        let answer = match tokio::time::timeout(bounds.time, call).await {
            Ok(Err(FetchError::OverBound(text))) => {
                return Err(FetchError::OverBound(format!("{text}: {}", self.facts.limits.explain(Bound::HttpBytes))));
            }
            Ok(answer) => answer?,
            Err(_) => return Err(FetchError::Timeout(format!("no whole answer yet: {}", self.facts.limits.explain(Bound::HttpTime)))),
        };
        // Several that came at once may be over the bound together.
        if answer.size() as u64 > self.http_bytes_left() {
            return Err(FetchError::OverBound(self.facts.limits.explain(Bound::HttpBytes)));
        }
        Ok(answer)
    }
}

fn not_sent(error: ContextError) -> FetchError {
    match error {
        ContextError::Unavailable(_) => FetchError::Failed(error.to_string()),
        _ => FetchError::Denied(error.to_string()),
    }
}
