//! Tasks that use the interfaces as nobody should: too many headers, texts of megabytes, handles that are never given back.

use std::collections::BTreeMap;

use mogbox_guest::task;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingRequest};

use crate::client::{Call, request, send};

/// Adds so many headers to one request, and answers how many it took.
#[task(name = "web.many_headers")]
pub(crate) fn many_headers(number: usize) -> usize {
    let fields = Fields::new();
    (0..number).take_while(|at| fields.append(&format!("x-{at}"), b"value").is_ok()).count()
}

/// Fills one set of headers after the other, almost as far as each may be, and keeps them all.
#[task(name = "web.many_fields")]
pub(crate) fn many_fields() -> usize {
    let mut kept = Vec::new();
    let value = vec![b'x'; 8 << 10];
    loop {
        let fields = Fields::new();
        for _ in 0..3 {
            let _ = fields.append("x", &value);
        }
        kept.push(fields);
    }
}

/// Sets a method, a host and a path of so many bytes in so many requests, and answers what was taken.
#[task(name = "web.huge_texts")]
pub(crate) fn huge_texts(bytes: usize, requests: usize) -> Vec<String> {
    let text = "x".repeat(bytes);
    let mut taken = Vec::new();
    let kept: Vec<_> = (0..requests).map(|_| OutgoingRequest::new(Fields::new())).collect();
    for request in &kept {
        let mut note = |what: &str, set: Result<(), ()>| taken.extend(set.is_ok().then(|| what.to_owned()));
        note("method", request.set_method(&Method::Other(text.clone())));
        note("authority", request.set_authority(Some(&text)));
        note("path", request.set_path_with_query(Some(&format!("/{text}"))));
    }
    taken
}

/// Makes requests with bodies, writes as much as each takes, and sends none.
#[task(name = "web.never_sent")]
pub(crate) fn never_sent() -> usize {
    let mut kept = Vec::new();
    loop {
        let request = OutgoingRequest::new(Fields::new());
        let Ok(body) = request.body() else { return kept.len() };
        let Ok(stream) = body.write() else { return kept.len() };
        while let Ok(room @ 1..) = stream.check_write() {
            if stream.write(&vec![b'x'; usize::try_from(room).unwrap_or(0)]).is_err() {
                break;
            }
        }
        kept.push((stream, body, request));
    }
}

/// Sends a request, and never reads the answer's body; so many times. Answers how many were answered.
#[task(name = "web.never_read")]
pub(crate) fn never_read(url: String, times: usize) -> usize {
    let mut kept = Vec::new();
    for _ in 0..times {
        let Ok(request) = request(&Call::get(&url)) else { break };
        let Ok(answer) = outgoing_handler::handle(request, None) else { break };
        answer.subscribe().block();
        match answer.get() {
            Some(Ok(Ok(answer))) => kept.push(answer),
            _ => break,
        }
    }
    kept.len()
}

/// Sends so many requests and waits for none.
#[task(name = "web.never_awaited")]
pub(crate) fn never_awaited(url: String, times: usize) -> usize {
    let sent = (0..times).filter_map(|_| outgoing_handler::handle(request(&Call::get(&url)).ok()?, None).ok());
    sent.collect::<Vec<_>>().len()
}

/// Writes a body without an end, and answers what became of it.
#[task(name = "web.endless_body")]
pub(crate) fn endless_body(url: String) -> String {
    let Ok(request) = request(&Call { method: "POST".into(), ..Call::get(&url) }) else { return "no request".into() };
    let (Ok(body), Ok(answer)) = (request.body(), outgoing_handler::handle(request, None)) else { return "not sent".into() };
    let Ok(stream) = body.write() else { return "no stream".into() };
    while stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {}
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Err(code))) => code.to_string(),
        other => format!("{other:?}"),
    }
}

/// Begins so many requests and writes so many bytes to the body of each, which it ends none of. Answers the bytes that were taken.
#[task(name = "web.many_bodies")]
pub(crate) fn many_bodies(url: String, requests: usize, bytes: usize) -> usize {
    let (mut kept, mut taken) = (Vec::new(), 0);
    for _ in 0..requests {
        let Ok(request) = request(&Call { method: "POST".into(), ..Call::get(&url) }) else { break };
        let (Ok(body), Ok(answer)) = (request.body(), outgoing_handler::handle(request, None)) else { break };
        let Ok(stream) = body.write() else { break };
        let pieces = (0..bytes / 4096).take_while(|_| stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok());
        taken += pieces.count() * 4096;
        kept.push((stream, body, answer));
    }
    taken
}

/// Writes nothing to a body, for ever.
#[task(name = "web.empty_writes")]
pub(crate) fn empty_writes(url: String) {
    let Ok(request) = request(&Call { method: "POST".into(), ..Call::get(&url) }) else { return };
    let (Ok(body), Ok(_answer)) = (request.body(), outgoing_handler::handle(request, None)) else { return };
    let Ok(stream) = body.write() else { return };
    while let Ok(room) = stream.check_write() {
        if room == 0 {
            stream.subscribe().block();
        } else if stream.write(&[]).is_err() {
            break;
        }
    }
}

/// Tries to set headers that only the host sets, and answers those that it could.
#[task(name = "web.forbidden_headers")]
pub(crate) fn forbidden_headers() -> Vec<String> {
    let names =
        ["host", "Host", "connection", "transfer-encoding", "upgrade", "te", "trailer", "expect", "proxy-authorization", "keep-alive"];
    let could = |name: &&str| Fields::new().append(name, b"x").is_ok() || Fields::from_list(&[((*name).to_owned(), b"x".to_vec())]).is_ok();
    names.iter().filter(|name| could(name)).map(|name| (*name).to_owned()).collect()
}

/// Says that its body is longer than it is.
#[task(name = "web.wrong_length")]
pub(crate) fn wrong_length(url: String, says: String, body: String) -> String {
    let headers = BTreeMap::from([("content-length".to_owned(), says)]);
    let sent = send(&Call { headers, body, method: "POST".into(), ..Call::get(&url) });
    sent.map_or_else(|error| error, |answer| answer.body)
}

/// Tries to say more in a request than it is: another line, another host, another call. Sends what is taken, and answers which that was
/// and what came of it.
#[task(name = "web.smuggle")]
pub(crate) fn smuggle(url: String) -> Vec<String> {
    const LINE: &str = " HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";
    let mut came = Vec::new();
    let mut attempt = |what: &str, change: &dyn Fn(&OutgoingRequest) -> Result<(), ()>| {
        let Ok(request) = request(&Call::get(&url)) else { return came.push(format!("{what}: no request")) };
        if change(&request).is_ok() {
            came.push(format!("{what}: {}", sent(request)));
        }
    };
    attempt("a line in the path", &|request| request.set_path_with_query(Some(&format!("/{LINE}"))));
    attempt("a space in the path", &|request| request.set_path_with_query(Some("/ HTTP/1.1")));
    attempt("a line in the host", &|request| request.set_authority(Some(&format!("127.0.0.1:1{LINE}"))));
    attempt("a line in the method", &|request| request.set_method(&Method::Other(format!("GET /{LINE}"))));
    attempt("another address as path", &|request| request.set_path_with_query(Some("http://169.254.169.254/latest/meta-data")));
    attempt("another host as path", &|request| request.set_path_with_query(Some("@169.254.169.254/latest/meta-data")));
    attempt("an empty host", &|request| request.set_authority(Some("")));
    for (name, value) in [("x\r\nHost", "y"), ("x", "y\r\nHost: 169.254.169.254"), ("x", "y\0z"), ("x y", "z"), ("x:", "y"), ("", "y")] {
        if Fields::new().append(name, value.as_bytes()).is_ok() {
            came.push(format!("a header {name:?}: {value:?}"));
        }
    }
    came
}

/// Sends a request, and answers the beginning of what came.
fn sent(request: OutgoingRequest) -> String {
    let answer = match outgoing_handler::handle(request, None) {
        Ok(answer) => answer,
        Err(code) => return code.to_string(),
    };
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(answer))) => format!("status {}", answer.status()),
        Some(Ok(Err(code))) => code.to_string(),
        _ => "nothing".into(),
    }
}
