//! One request and its answer over a connection that is used for nothing else, the answer within its bounds.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use mogbox_core::outgoing::{FetchError, OutgoingRequest, OutgoingResponse};
use tokio_util::task::AbortOnDropHandle;

use super::{Stream, reason};

/// Bytes of an answer's headers together, and their number.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 128;

/// Sends the request and reads the answer, of so many bytes at most.
pub(super) async fn exchange(stream: Box<dyn Stream>, request: OutgoingRequest, most: usize) -> Result<OutgoingResponse, FetchError> {
    let (authority, waits) = (request.target.authority(), request.waits);
    let failed = |error: hyper::Error| FetchError::Failed(format!("no answer from {authority}: {}", reason(&error)));
    let request = message(request)?;
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends with this call, whatever the other side does.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = patiently(waits.first_byte, sender.send_request(request)).await?.map_err(failed)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(FetchError::Failed(format!("{authority} would speak another protocol")));
    }
    read(response, most, waits.between_bytes, failed).await
}

fn message(request: OutgoingRequest) -> Result<Request<Full<Bytes>>, FetchError> {
    let OutgoingRequest { method, target, headers, body, .. } = request;
    let invalid = |what: &str| FetchError::Invalid(format!("the {what} cannot be sent"));
    let mut message = Request::new(Full::new(Bytes::from(body)));
    *message.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| invalid("method"))?;
    *message.uri_mut() = target.path().parse::<Uri>().map_err(|_| invalid("path"))?;
    let host = HeaderValue::from_str(&target.authority()).map_err(|_| invalid("host"))?;
    let fields = message.headers_mut();
    fields.insert(HOST, host);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("name of a header"))?;
        let value = HeaderValue::from_bytes(&value).map_err(|_| invalid("value of a header"))?;
        fields.try_append(name, value).map_err(|_| invalid("number of headers"))?;
    }
    Ok(message)
}

async fn read(
    response: Response<Incoming>,
    most: usize,
    patience: Option<Duration>,
    failed: impl Fn(hyper::Error) -> FetchError,
) -> Result<OutgoingResponse, FetchError> {
    let (head, mut incoming) = response.into_parts();
    let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())).collect();
    let mut answer = OutgoingResponse { status: head.status.as_u16(), headers, body: Vec::new() };
    let left = most.checked_sub(answer.size()).ok_or_else(|| too_large(most))?;
    if incoming.size_hint().lower() > left as u64 {
        return Err(too_large(most));
    }
    while let Some(frame) = patiently(patience, incoming.frame()).await? {
        // Trailers are of no use to a guest that gets the answer whole.
        let Ok(data) = frame.map_err(&failed)?.into_data() else { continue };
        if data.len() > left.saturating_sub(answer.body.len()) {
            return Err(too_large(most));
        }
        answer.body.extend_from_slice(&data);
    }
    Ok(answer)
}

fn too_large(most: usize) -> FetchError {
    FetchError::OverBound(format!("the answer has more than {most} bytes"))
}

/// Waits no longer than the guest wants.
async fn patiently<T>(patience: Option<Duration>, wait: impl Future<Output = T>) -> Result<T, FetchError> {
    let Some(patience) = patience else { return Ok(wait.await) };
    let late = |_| FetchError::Timeout(format!("nothing came for {patience:?}, as long as the task wants to wait"));
    tokio::time::timeout(patience, wait).await.map_err(late)
}
