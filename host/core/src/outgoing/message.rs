//! A request that a guest sends and the answer to it, each whole, with what in them is not the guest's to say taken out or refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FetchError, Target};

/// Bytes of a method.
pub(super) const MAX_METHOD: usize = 32;

/// Methods that make the other side something else than the server of one answer.
const REFUSED_METHODS: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

/// Headers of one connection, of framing, or of where the request goes: the host sets those that are needed.
const HOST_HEADERS: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// How long a guest wants to wait, where that is shorter than its bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// For a connection.
    pub connect: Option<Duration>,
    /// Then for the beginning of an answer.
    pub first_byte: Option<Duration>,
    /// Then from one part of the answer to the next.
    pub between_bytes: Option<Duration>,
}

/// A request that a guest sends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingRequest {
    /// The method, in capitals as a rule.
    pub method: String,
    /// Where it goes.
    pub target: Target,
    /// Names in small letters, with their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; base64 where it is text.
    #[serde(with = "as_base64")]
    pub body: Vec<u8>,
    /// How long to wait for what.
    #[serde(default)]
    pub waits: Waits,
}

/// Headers and bodies may hold secrets: shown are their sizes.
impl std::fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, target, headers, body, .. } = self;
        write!(f, "{method:?} {:?} with {} headers and {} bytes", target.origin(), headers.len(), body.len())
    }
}

impl OutgoingRequest {
    /// Bytes that it takes, headers and body together.
    #[must_use]
    pub fn size(&self) -> usize {
        sum(&self.headers).saturating_add(self.target.path().len()).saturating_add(self.body.len())
    }

    /// The request without what only the host says.
    ///
    /// # Errors
    /// Where its method is none, or one that no guest may use.
    pub(crate) fn cleaned(mut self) -> Result<Self, FetchError> {
        check_method(&self.method)?;
        self.headers.retain(|(name, _)| !Self::is_of_the_host(name));
        Ok(self)
    }

    /// Whether only the host says what this header says.
    #[must_use]
    pub fn is_of_the_host(name: &str) -> bool {
        HOST_HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name))
    }
}

fn check_method(method: &str) -> Result<(), FetchError> {
    let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    if method.is_empty() || method.len() > MAX_METHOD || !method.bytes().all(is_token) {
        let shown: String = method.chars().take(MAX_METHOD).collect();
        return Err(FetchError::Invalid(format!("invalid method {shown:?}: expected a word such as GET, of {MAX_METHOD} bytes at most")));
    }
    if REFUSED_METHODS.iter().any(|refused| refused.eq_ignore_ascii_case(method)) {
        return Err(FetchError::Denied(format!("the method {method} is open to no task: it makes a tunnel or echoes what is secret")));
    }
    Ok(())
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingResponse {
    /// The status, from 200 to 999.
    pub status: u16,
    /// Names in small letters, with their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; base64 where it is text.
    #[serde(with = "as_base64")]
    pub body: Vec<u8>,
}

/// Headers and bodies may hold secrets: shown are their sizes.
impl std::fmt::Debug for OutgoingResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {} headers and {} bytes", self.status, self.headers.len(), self.body.len())
    }
}

impl OutgoingResponse {
    /// Bytes that it takes, headers and body together.
    #[must_use]
    pub fn size(&self) -> usize {
        sum(&self.headers).saturating_add(self.body.len())
    }
}

/// Bytes as text: as a list of numbers they would take four times as much.
mod as_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

fn sum(headers: &[(String, Vec<u8>)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &[&str]) -> OutgoingRequest {
        OutgoingRequest {
            method: method.into(),
            target: Target::parse(Some("https"), "example.com", "/secret-path").unwrap(),
            headers: headers.iter().map(|name| ((*name).to_owned(), b"token".to_vec())).collect(),
            body: b"token".to_vec(),
            waits: Waits::default(),
        }
    }

    #[test]
    fn headers_that_only_the_host_sets_are_taken_out() {
        let headers = ["accept", "Host", "connection", "Transfer-Encoding", "content-length", "upgrade", "te", "proxy-authorization"];
        let left = request("GET", &headers).cleaned().unwrap().headers;
        assert_eq!(left.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn tunnels_echoes_and_what_is_no_method_are_refused() {
        for refused in ["CONNECT", "TRACE", "connect"] {
            assert!(matches!(request(refused, &[]).cleaned(), Err(FetchError::Denied(text)) if text.contains(refused)), "{refused}");
        }
        for malformed in ["", "GE T", "GET\r\nx: y", &"X".repeat(33)] {
            assert!(matches!(request(malformed, &[]).cleaned(), Err(FetchError::Invalid(_))), "{malformed:?}");
        }
        request("PROPFIND", &[]).cleaned().unwrap();
    }

    #[test]
    fn nothing_of_headers_path_or_body_is_shown() {
        let shown = format!("{:?}", request("GET", &["authorization"]));
        assert!(shown.contains("example.com") && !shown.contains("token") && !shown.contains("secret-path"), "{shown}");
    }
}
