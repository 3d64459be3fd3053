//! Uploads over calls that no client makes: names that are paths, lengths that are lies, bodies without an end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;

use mogbox_fixtures::guest::{Guest, padded};
use serde_json::{Value, json};

use crate::hostile::victim::Victim;
use crate::support::Api;

/// A tenant whose modules have 64 KiB at most.
fn small() -> Api {
    static TENANT: OnceLock<()> = OnceLock::new();
    let victim = Victim::with_defaults();
    TENANT.get_or_init(|| {
        let tenant = json!({ "name": "small", "limits": { "module": "64KiB" } });
        victim.tenant("small").post("/v1/tenants", &tenant).ok();
    });
    victim.tenant("small")
}

/// A call under way: what was said of it, and its body as far as it is sent at once.
fn begun(path: &str, headers: &str, body: &[u8]) -> TcpStream {
    let address = Victim::with_defaults().url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    // The node may answer and close before it has read everything.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    stream
}

/// Status of the answer, and its problem.
fn answered(mut stream: TcpStream) -> (u16, Value) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer but {answer:?}")).parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The call is refused with this code, or without one where the call is no HTTP, and nothing is stored.
#[track_caller]
fn is_refused(name: &str, stream: TcpStream, status: u16, code: &str) {
    let (found, problem) = answered(stream);
    assert_eq!((found, problem["code"].as_str().unwrap_or_default()), (status, code), "{name}: {problem}");
    assert_eq!(small().get("/v1/modules").ok()["modules"], json!([]), "{name}");
}

const HERE: &str = "/v1/modules/guest?tenant=small";

#[test]
fn names_that_are_paths_or_play_tricks_are_refused() {
    let (victim, module) = (Victim::with_defaults(), Guest::default().build());
    let length = format!("Content-Length: {}\r\n", module.len());
    victim.while_others_work(|| {
        let refused = |name: &str, path: &str, status: u16, code: &str| {
            is_refused(name, begun(&format!("{path}?tenant=small"), &length, &module), status, code);
        };
        small();
        refused("a path up", "/v1/modules/../../etc/passwd", 404, "no-such-route");
        refused("a path up in disguise", "/v1/modules/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 400, "invalid-name");
        refused("two dots", "/v1/modules/%2e%2e", 400, "invalid-name");
        refused("one dot", "/v1/modules/.", 400, "invalid-name");
        refused("a path of Windows", "/v1/modules/..%5c..%5cx", 400, "invalid-name");
        refused("a name with a zero", "/v1/modules/a%00b", 400, "invalid-name");
        refused("a name of two lines", "/v1/modules/a%0d%0aX:%20y", 400, "invalid-name");
        refused("a name that is read backwards", "/v1/modules/a%e2%80%aeb", 400, "invalid-name");
        refused("a name that is no UTF-8", "/v1/modules/%ff%fe", 400, "invalid-name");
        refused("no name", "/v1/modules/", 404, "no-such-route");
        refused("a name of 10,000 letters", &format!("/v1/modules/{}", "a".repeat(10_000)), 400, "invalid-name");
        let long = format!("/v1/modules/{}", "a".repeat(60_000));
        refused("a name that is most of what a head may be", &long, 400, "invalid-name");
    });
    victim.still_serves("names that play tricks");
}

#[test]
fn lengths_that_are_lies_are_refused() {
    let (victim, module) = (Victim::with_defaults(), Guest::default().build());
    small();
    victim.while_others_work(|| {
        let short = begun(HERE, "Content-Length: 1000000000000\r\n", &module);
        is_refused("a length of a terabyte", short, 413, "over-bound");
        let longest = begun(HERE, "Content-Length: 18446744073709551615\r\n", &module);
        is_refused("a length that is the largest number", longest, 431, "");
        for (name, says) in [("no number", "x"), ("less than nothing", "-1"), ("more than a number", "18446744073709551616")] {
            is_refused(name, begun(HERE, &format!("Content-Length: {says}\r\n"), &module), 400, "");
        }
        is_refused("two lengths", begun(HERE, "Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), 400, "");
        is_refused("a body that is shorter than it says", cut_off(&module), 400, "malformed-body");
        is_refused("a body that is longer than it says", begun(HERE, "Content-Length: 20\r\n", &module), 422, "module-refused");
    });
    victim.still_serves("lengths that are lies");
}

/// A body of which the client sends half before it says that there is no more.
fn cut_off(module: &[u8]) -> TcpStream {
    let stream = begun(HERE, &format!("Content-Length: {}\r\n", module.len()), &module[..module.len() / 2]);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream
}

#[test]
fn bodies_without_an_end_and_such_as_are_no_pieces_are_refused() {
    let victim = Victim::with_defaults();
    small();
    victim.while_others_work(|| {
        let endless = "1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n";
        let endless = begun(HERE, "Transfer-Encoding: chunked\r\n", endless.repeat(100).as_bytes());
        is_refused("pieces without an end", endless, 413, "over-bound");
        for (name, pieces) in
            [("a piece of no number", "xyz\r\n"), ("a piece larger than any", "fffffffffffffffff\r\n"), ("no pieces", "\0\0")]
        {
            is_refused(name, begun(HERE, "Transfer-Encoding: chunked\r\n", pieces.as_bytes()), 400, "malformed-body");
        }
        let both = begun(HERE, "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n");
        is_refused("pieces and a length", both, 422, "module-refused");
        is_refused("an unknown encoding", begun(HERE, "Transfer-Encoding: gzip\r\n", b"abc"), 400, "");
        let signed = begun(HERE, "Mogbox-Signature: !!!\r\nContent-Length: 3\r\n", b"abc");
        is_refused("a signature that is none", signed, 422, "signature-refused");
    });
    victim.still_serves("bodies without an end");
}

#[test]
fn a_module_over_its_tenants_bound_is_refused_with_the_bound_named() {
    let refused = small().upload("guest", &padded(64 << 10));
    let detail = refused.problem(413, "over-bound");
    assert!(detail.contains("over the bound module of 64KiB"), "{detail}");
    Victim::with_defaults().still_serves("a module over its bound");
}
