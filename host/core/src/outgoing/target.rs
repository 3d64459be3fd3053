//! Where a request goes: scheme, host, port and path, with the host in the one notation that is checked and connected to.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::Host;

/// Bytes of a path with its query.
const MAX_PATH: usize = 8 << 10;

/// Bytes of a host, as it may be resolved.
const MAX_HOST: usize = 253;

/// Characters of a text shown in an error.
const SHOWN: usize = 80;

/// How a server is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme of a text, in letters of any size.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("http") => Some(Self::Http),
            _ if text.eq_ignore_ascii_case("https") => Some(Self::Https),
            _ => None,
        }
    }

    /// The port where none is named.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// A target that is none, with what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: expected {expected}")]
pub struct InvalidTarget {
    what: &'static str,
    value: String,
    expected: &'static str,
}

impl InvalidTarget {
    fn new(what: &'static str, value: &str, expected: &'static str) -> Self {
        Self { what, value: value.chars().take(SHOWN).collect(), expected }
    }
}

/// Where a request goes. A host that is an address in any notation is that address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// The target that a guest names, over TLS where it names no scheme.
    ///
    /// # Errors
    /// Where a part is malformed, or names who asks.
    pub fn parse(scheme: Option<&str>, authority: &str, path: &str) -> Result<Self, InvalidTarget> {
        let scheme = match scheme {
            None => Scheme::Https,
            Some(text) => Scheme::parse(text).ok_or_else(|| InvalidTarget::new("scheme", text, "http or https"))?,
        };
        let (host, port) = split_authority(authority)?;
        let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
        Ok(Self { scheme, host: parse_host(host)?, port, path: parse_path(path)? })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name in small ASCII letters, or an address, that of IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, where the host is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, beginning with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host, and port where it is not the scheme's own: what the `Host` header says.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Scheme, host and port: all that is shown to anybody.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<&str>), InvalidTarget> {
    if authority.contains('@') {
        // What stands before it may be a password: it is not shown.
        let host = authority.rsplit('@').next().unwrap_or_default();
        return Err(InvalidTarget::new("host", &format!("...@{host}"), "no user name or password: send an authorization header instead"));
    }
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let (_, rest) = authority.split_at(after_brackets);
    match rest.find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_brackets + colon);
            Ok((host, port.strip_prefix(':')))
        }
        None => Ok((authority, None)),
    }
}

/// A port from 1 to 65535, in digits only.
pub(super) fn parse_port(text: &str) -> Result<u16, InvalidTarget> {
    let digits = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.filter(|port| *port != 0).ok_or_else(|| InvalidTarget::new("port", text, "a number from 1 to 65535"))
}

/// The host of a text in any notation, as it is resolved: the URL standard says what `0x7f.1` is.
pub(super) fn parse_host(text: &str) -> Result<String, InvalidTarget> {
    let invalid = || InvalidTarget::new("host", text, "a name such as api.example.com, or an address");
    if text.len() > 4 * MAX_HOST {
        return Err(invalid());
    }
    match Host::parse(text).map_err(|_| invalid())? {
        Host::Domain(name) => {
            // With or without its last dot, it is the same name.
            let name = name.strip_suffix('.').unwrap_or(&name);
            let is_name = !name.is_empty() && name.len() <= MAX_HOST && name.split('.').all(|label| !label.is_empty());
            if is_name { Ok(name.to_owned()) } else { Err(invalid()) }
        }
        address => Ok(address.to_string()),
    }
}

fn parse_path(text: &str) -> Result<String, InvalidTarget> {
    let expected = "visible ASCII characters that begin with a slash, at most 8 KiB, without a fragment";
    let fits = text.len() < MAX_PATH && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match text.bytes().next() {
        _ if !fits => Err(InvalidTarget::new("path", text, expected)),
        None => Ok("/".to_owned()),
        Some(b'/') => Ok(text.to_owned()),
        Some(b'?') => Ok(format!("/{text}")),
        Some(_) => Err(InvalidTarget::new("path", text, expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(authority: &str) -> Target {
        Target::parse(Some("HTTP"), authority, "/").unwrap_or_else(|error| panic!("{authority}: {error}"))
    }

    #[test]
    fn an_address_in_any_notation_is_that_address() {
        let loopback = ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1.", "１２７.0.0.1"];
        for notation in loopback {
            assert_eq!(target(notation).address(), Some("127.0.0.1".parse().unwrap()), "{notation}");
        }
        assert_eq!(target("[::FFFF:127.0.0.1]:81").host(), "[::ffff:7f00:1]");
        assert_eq!(target("[::1]").address(), Some("::1".parse().unwrap()));
        assert_eq!(target("0").address(), Some("0.0.0.0".parse().unwrap()));
    }

    #[test]
    fn a_name_has_one_notation() {
        for notation in ["example.com", "EXAMPLE.com", "example.com.", "ex%61mple.com"] {
            assert_eq!(target(notation).host(), "example.com", "{notation}");
        }
        assert_eq!(target("bücher.example:8080").authority(), "xn--bcher-kva.example:8080");
        assert_eq!(target("example.com:80").authority(), "example.com");
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        let long = "a".repeat(300);
        for malformed in [
            "",
            ":80",
            "a:0",
            "a:65536",
            "a:",
            "a:+80",
            "a::80",
            "a/b",
            "a?b",
            "a#b",
            "a b",
            "a\\b",
            "[::1",
            "[fe80::1%25eth0]",
            "a..b",
            &long,
        ] {
            assert!(Target::parse(None, malformed, "/").is_err(), "{malformed}");
        }
        let error = Target::parse(None, "user:hunter2@example.com", "/").unwrap_err().to_string();
        assert!(error.contains("@example.com") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_path_is_as_the_guest_says_it() {
        let path = |path| Target::parse(None, "a", path).map(|target| target.path().to_owned());
        assert_eq!(
            (path("").unwrap(), path("?a=b").unwrap(), path("/a/../b?c").unwrap()),
            ("/".into(), "/?a=b".into(), "/a/../b?c".into())
        );
        for malformed in ["http://b/", "/a b", "/a\r\nx: y", "/#f", "*", "/ü"] {
            assert!(path(malformed).is_err(), "{malformed}");
        }
        assert!(path(&format!("/{}", "x".repeat(MAX_PATH))).is_err());
    }

    #[test]
    fn only_two_schemes_are_known() {
        assert_eq!(Target::parse(None, "a", "").unwrap().origin(), "https://a");
        assert!(Target::parse(Some("ftp"), "a", "").unwrap_err().to_string().contains("http or https"));
    }
}
