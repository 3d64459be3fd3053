//! What an attempt sent and got: counted against its bounds, and kept for its receipt.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::message::MAX_METHOD;
use super::{FetchError, OutgoingRequest, OutgoingResponse};
use crate::limits::{Bound, Limits};
use crate::report::{HttpCall, HttpUse};

/// Requests that a receipt lists, the first ones; all are counted.
const MAX_LISTED: usize = 100;

/// Counts the requests of one attempt.
#[derive(Debug, Default)]
pub(crate) struct HttpMeter(Mutex<HttpUse>);

/// A request that has begun.
pub(crate) struct Begun<'a> {
    meter: &'a HttpMeter,
    listed: Option<usize>,
    started: Instant,
    out: u64,
}

impl HttpMeter {
    /// Counts one more request and its bytes.
    ///
    /// # Errors
    /// Where there are too many of them, or too many bytes.
    pub(crate) fn begin(&self, request: &OutgoingRequest, limits: &Limits) -> Result<Begun<'_>, FetchError> {
        let mut used = self.used();
        if used.requests >= limits.get(Bound::HttpRequests) {
            return Err(FetchError::OverBound(limits.explain(Bound::HttpRequests)));
        }
        used.requests += 1;
        let listed = (used.calls.len() < MAX_LISTED).then_some(used.calls.len());
        if listed.is_some() {
            // Nobody has checked the method yet.
            let (method, host) = (request.method.chars().take(MAX_METHOD).collect(), request.target.authority());
            // What is cut short, say by the end of the attempt, stays so.
            used.calls.push(HttpCall { method, host, error: Some("cut-short".into()), ..HttpCall::default() });
        }
        let begun = Begun { meter: self, listed, started: Instant::now(), out: request.size() as u64 };
        drop(used);
        Ok(begun)
    }

    /// Bytes that may still go in or out.
    pub(crate) fn left(&self, limits: &Limits) -> u64 {
        let used = self.used();
        limits.get(Bound::HttpBytes).saturating_sub(used.bytes_out).saturating_sub(used.bytes_in)
    }

    /// What was sent and got so far.
    pub(crate) fn snapshot(&self) -> HttpUse {
        self.used().clone()
    }

    fn used(&self) -> MutexGuard<'_, HttpUse> {
        // Sums and a list, each changed in one step: whole even after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun<'_> {
    /// Counts what goes out.
    ///
    /// # Errors
    /// Where it is more than may still go out.
    pub(crate) fn send(&self, limits: &Limits) -> Result<(), FetchError> {
        if self.out > self.meter.left(limits) {
            return Err(FetchError::OverBound(limits.explain(Bound::HttpBytes)));
        }
        let mut used = self.meter.used();
        used.bytes_out = used.bytes_out.saturating_add(self.out);
        self.note(&mut used, |call| call.bytes_out = self.out);
        Ok(())
    }

    /// Counts what came.
    pub(crate) fn end(self, answer: &Result<OutgoingResponse, FetchError>) {
        let mut used = self.meter.used();
        let came = answer.as_ref().map_or(0, |answer| answer.size() as u64);
        used.bytes_in = used.bytes_in.saturating_add(came);
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.note(&mut used, |call| {
            (call.bytes_in, call.ms) = (came, ms);
            call.status = answer.as_ref().ok().map(|answer| answer.status);
            call.error = answer.as_ref().err().map(|error| error.kind().to_owned());
        });
    }

    fn note(&self, used: &mut HttpUse, change: impl FnOnce(&mut HttpCall)) {
        if let Some(call) = self.listed.and_then(|at| used.calls.get_mut(at)) {
            change(call);
        }
    }
}
