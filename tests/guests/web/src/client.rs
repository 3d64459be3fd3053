//! A client on `wasi:http`: one call, one answer.

use std::collections::BTreeMap;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::StreamError;

/// Bytes of one write and of one read.
const PIECE: usize = 4096;

/// What to send.
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) patience_ms: Option<u64>,
}

impl Call {
    pub(crate) fn get(url: &str) -> Self {
        Self { url: url.into(), method: "GET".into(), headers: BTreeMap::new(), body: String::new(), patience_ms: None }
    }
}

/// What came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Sends a request and reads the whole answer.
pub(crate) fn send(call: &Call) -> Result<Answer, String> {
    let request = request(call)?;
    let body = request.body().map_err(|()| "no body")?;
    let options = call.patience_ms.map(options).transpose()?;
    let answer = outgoing_handler::handle(request, options).map_err(|code| code.to_string())?;
    write(body, call.body.as_bytes())?;
    answer.subscribe().block();
    let answer = answer.get().ok_or("not ready")?.map_err(|()| "taken twice")?.map_err(|code| code.to_string())?;
    read(&answer)
}

/// A request without its body.
pub(crate) fn request(call: &Call) -> Result<OutgoingRequest, String> {
    let headers = Fields::new();
    for (name, value) in &call.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("header {name}: {error}"))?;
    }
    let (scheme, rest) = call.url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let request = OutgoingRequest::new(headers);
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    };
    let refused = |what: &'static str| move |()| format!("{what} is refused");
    request.set_scheme(Some(&scheme)).map_err(refused("scheme"))?;
    request.set_authority(Some(authority)).map_err(refused("authority"))?;
    request.set_path_with_query(Some(path)).map_err(refused("path"))?;
    request.set_method(&method(&call.method)).map_err(refused("method"))?;
    Ok(request)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "HEAD" => Method::Head,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.into()),
    }
}

fn options(ms: u64) -> Result<RequestOptions, String> {
    let options = RequestOptions::new();
    options.set_first_byte_timeout(Some(ms * 1_000_000)).map_err(|()| "no such option")?;
    Ok(options)
}

fn write(body: OutgoingBody, content: &[u8]) -> Result<(), String> {
    let stream = body.write().map_err(|()| "no stream")?;
    for piece in content.chunks(PIECE) {
        match stream.blocking_write_and_flush(piece) {
            Ok(()) => {}
            // The host has given the request up, and says why in its answer.
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|code| code.to_string())
}

fn read(answer: &IncomingResponse) -> Result<Answer, String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let headers = answer.headers().entries().into_iter().map(|(name, value)| (name, text(value))).collect();
    let body: IncomingBody = answer.consume().map_err(|()| "consumed twice")?;
    let stream = body.stream().map_err(|()| "streamed twice")?;
    let mut content = Vec::new();
    loop {
        match stream.blocking_read(PIECE as u64) {
            Ok(piece) => content.extend(piece),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Answer { status: answer.status(), headers, body: text(content) })
}
