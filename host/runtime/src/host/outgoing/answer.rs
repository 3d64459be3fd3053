//! Hands an answer that came as a whole to the guest, in pieces, so that no read of it holds a thread for long.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use mogbox_core::outgoing::{FetchError, OutgoingResponse};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::places::{Charge, Place};

/// Bytes of one piece.
const PIECE: usize = 64 << 10;

/// The answer as the guest's library takes it. It counts as the guest's memory until it is dropped.
pub(super) fn answer(answer: OutgoingResponse, place: &Arc<Place>) -> Result<hyper::Response<WasiBody>, FetchError> {
    let mut held = Charge::none(place);
    held.more(answer.size() as u64).map_err(FetchError::OverBound)?;
    let OutgoingResponse { status, headers, body } = answer;
    let headers = fields(headers).ok_or_else(|| FetchError::Failed("the answer has headers that are none".into()))?;
    let mut response = hyper::Response::new(pieces(body.into(), held));
    *response.headers_mut() = headers;
    *response.status_mut() = hyper::StatusCode::from_u16(status)
        .map_err(|_| FetchError::Failed(format!("the answer has the status {status}, which is none")))?;
    Ok(response)
}

fn fields(headers: Vec<(String, Vec<u8>)>) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.try_append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?).ok()?;
    }
    Some(map)
}

fn pieces(mut body: Bytes, held: Charge) -> WasiBody {
    let next = std::iter::from_fn(move || {
        let _held = &held;
        let piece = body.split_to(body.len().min(PIECE));
        (!piece.is_empty()).then(|| Ok::<_, Error>(Frame::data(piece)))
    });
    StreamBody::new(futures::stream::iter(next)).boxed_unsync()
}
