//! Keeps other web sites out: a page in the user's browser can reach the loopback address, by a name of its own that resolves to
//! it or by a request across sites. Only calls that name this machine, and come from it, pass.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Uri, header};

use super::problem::{Code, Problem};

/// Whether a call names this machine by its `Host` and, from a browser, its `Origin`.
pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    check_host(uri, headers)?;
    check_origin(headers)
}

fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or(""));
    let host = hosts.next().unwrap_or("");
    let named_elsewhere = uri.authority().is_some_and(|authority| !is_loopback(authority.as_str()));
    if hosts.next().is_some() || !is_loopback(host) || named_elsewhere {
        return Err(foreign("Host", host));
    }
    Ok(())
}

/// A browser says where a request comes from, in one header or both. Other clients say nothing.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    for value in headers.get_all(header::ORIGIN) {
        let origin = value.to_str().unwrap_or("");
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !host.is_some_and(is_loopback) {
            return Err(foreign("Origin", origin));
        }
    }
    match headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or("")) {
        Some(site @ "cross-site") => Err(foreign("Sec-Fetch-Site", site)),
        _ => Ok(()),
    }
}

fn foreign(header: &str, value: &str) -> Problem {
    let shown: String = value.chars().take(80).collect();
    let detail = format!("header {header} is {shown:?}: expected localhost, 127.0.0.1 or [::1], with a port or without");
    Problem::new(Code::ForeignCaller, detail)
}

/// Whether `host` or `host:port` is a name or address of the loopback interface.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => return is_loopback_v6(host),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => return is_loopback_v6(host) && is_port(port),
            None => return false,
        },
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let named = host.eq_ignore_ascii_case("localhost") || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    named && port.is_none_or(is_port)
}

fn is_loopback_v6(host: &str) -> bool {
    host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn refused(pairs: &[(&'static str, &'static str)]) -> bool {
        check(&Uri::from_static("/v1/modules"), &headers(pairs)).is_err()
    }

    #[test]
    fn every_name_of_this_machine_passes() {
        for host in ["localhost", "LOCALHOST:7777", "127.0.0.1:7777", "127.9.9.9", "[::1]:7777", "[::1]"] {
            assert!(!refused(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_name_that_only_resolves_to_this_machine_is_refused() {
        let foreign =
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0:7777", "[::]", "[::1]x", ""];
        for host in foreign.into_iter().chain(["localhost:", "localhost:99999", "localhost:+80", "user@localhost"]) {
            assert!(refused(&[("host", host)]), "{host}");
        }
        assert!(refused(&[]));
        assert!(refused(&[("host", "localhost"), ("host", "evil.example")]));
        assert!(check(&Uri::from_static("http://evil.example/v1"), &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        for origin in
            ["https://evil.example", "null", "http://localhost.evil.example", "localhost", "file://", "http://127.0.0.1@evil.example"]
        {
            assert!(refused(&[("host", "localhost"), ("origin", origin)]), "{origin}");
        }
        assert!(refused(&[("host", "localhost"), ("sec-fetch-site", "cross-site")]));
        assert!(!refused(&[("host", "localhost"), ("origin", "http://localhost:7777"), ("sec-fetch-site", "same-origin")]));
    }
}
