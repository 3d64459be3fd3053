//! Collects a request that a guest writes piece by piece, within what it may send.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use mogbox_core::outgoing::{FetchError, OutgoingRequest, Target, Waits};
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::Unanswered;
use crate::places::{Charge, Place};

/// The request as a whole, with the memory that it counts for.
pub(super) async fn collect(
    request: hyper::Request<WasiBody>,
    options: RequestOptions,
    most: usize,
    over: impl Fn() -> FetchError,
    place: &Arc<Place>,
) -> Result<(OutgoingRequest, Charge), Unanswered> {
    let (parts, body) = request.into_parts();
    let authority = parts.uri.authority().map_or("", |authority| authority.as_str());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let target = Target::parse(parts.uri.scheme_str(), authority, path).map_err(|error| FetchError::Invalid(error.to_string()))?;
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())).collect();
    let waits =
        Waits { connect: options.connect_timeout, first_byte: options.first_byte_timeout, between_bytes: options.between_bytes_timeout };
    let (body, held) = whole(body, most, over, place).await?;
    Ok((OutgoingRequest { method: parts.method.as_str().to_owned(), target, headers, body, waits }, held))
}

async fn whole(
    mut body: WasiBody,
    most: usize,
    over: impl Fn() -> FetchError,
    place: &Arc<Place>,
) -> Result<(Vec<u8>, Charge), Unanswered> {
    let (mut collected, mut held) = (Vec::new(), Charge::none(place));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Unanswered::ByGuest)?;
        let data = frame.into_data().map_err(|_| FetchError::Invalid("a request with trailers: they are not sent".into()))?;
        if data.len() > most.saturating_sub(collected.len()) {
            return Err(over().into());
        }
        held.more(data.len() as u64).map_err(FetchError::OverBound)?;
        collected.extend_from_slice(&data);
    }
    Ok((collected, held))
}
