//! Collects a request that a guest writes piece by piece, within what it may send. All that are being written share one bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::BodyExt as _;
use mogbox_core::outgoing::{FetchError, OutgoingRequest, Target, Waits};
use mogbox_core::{Bound, HostCalls};
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::Unanswered;
use crate::places::{Charge, Place};

/// Bytes of all bodies that a guest is writing. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Collecting(Arc<AtomicU64>);

/// The part of one body. Counted no more once dropped.
struct Part {
    all: Collecting,
    bytes: u64,
}

impl Part {
    /// Counts more, and returns what all of them have together.
    fn more(&mut self, bytes: u64) -> u64 {
        self.bytes += bytes;
        self.all.0.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// The request as a whole, with the memory that it counts for.
pub(super) async fn collect(
    request: hyper::Request<WasiBody>,
    options: RequestOptions,
    context: &dyn HostCalls,
    all: &Collecting,
    place: &Arc<Place>,
) -> Result<(OutgoingRequest, Charge), Unanswered> {
    let (parts, body) = request.into_parts();
    let authority = parts.uri.authority().map_or("", |authority| authority.as_str());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let target = Target::parse(parts.uri.scheme_str(), authority, path).map_err(|error| FetchError::Invalid(error.to_string()))?;
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())).collect();
    let waits =
        Waits { connect: options.connect_timeout, first_byte: options.first_byte_timeout, between_bytes: options.between_bytes_timeout };
    let (body, held) = whole(body, context, all, place).await?;
    Ok((OutgoingRequest { method: parts.method.as_str().to_owned(), target, headers, body, waits }, held))
}

async fn whole(mut body: WasiBody, context: &dyn HostCalls, all: &Collecting, place: &Arc<Place>) -> Result<(Vec<u8>, Charge), Unanswered> {
    let (mut collected, mut held) = (Vec::new(), Charge::none(place));
    let mut part = Part { all: all.clone(), bytes: 0 };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Unanswered::ByGuest)?;
        let data = frame.into_data().map_err(|_| FetchError::Invalid("a request with trailers: they are not sent".into()))?;
        if part.more(data.len() as u64) > context.http_bytes_left() {
            return Err(FetchError::OverBound(context.facts().limits.explain(Bound::HttpBytes)).into());
        }
        held.more(data.len() as u64).map_err(FetchError::OverBound)?;
        collected.extend_from_slice(&data);
    }
    // From here on it counts as sent: nothing is awaited in between.
    Ok((collected, held))
}
