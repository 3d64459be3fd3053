//! What a handler reads from a call: path, query and body, each checked once and answered with a problem where it does not fit.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use futures::StreamExt as _;
use mogbox_core::entries::check_key;
use mogbox_core::{QueueName, RequestId, Tenant};
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// Bytes that a JSON body may have beside the values that a bound counts: names of fields, braces, white space.
pub(crate) const FRAME: usize = 64 << 10;

/// Longest silence of a client that sends a body.
const BODY_SILENCE: Duration = Duration::from_secs(10);

/// Longest time of a whole body.
const BODY_TIME: Duration = Duration::from_secs(120);

/// The request that a path names by `{id}`.
pub(crate) struct Target(pub(crate) RequestId);

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(path_parameter(parts, state, "id").await?.parse()?))
    }
}

/// The queue that a path names by `{queue}`.
pub(crate) struct Queue(pub(crate) QueueName);

impl<S: Send + Sync> FromRequestParts<S> for Queue {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(path_parameter(parts, state, "queue").await?.parse()?))
    }
}

/// The tenant that a path names by `{tenant}`.
pub(crate) struct TenantName(pub(crate) Tenant);

impl<S: Send + Sync> FromRequestParts<S> for TenantName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(path_parameter(parts, state, "tenant").await?.parse()?))
    }
}

/// The token that a path names by `{token}`: the first digits of its digest.
pub(crate) struct TokenId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for TokenId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_parameter(parts, state, "token").await?;
        if id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Self(id));
        }
        // What is no id may be the token itself.
        Err(Problem::new(Code::InvalidName, "invalid id of a token: expected 16 hexadecimal digits"))
    }
}

/// The metadata key that a path names by `{key}`.
pub(crate) struct Key(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let key = path_parameter(parts, state, "key").await?;
        check_key(&key)?;
        Ok(Self(key))
    }
}

/// The module that a path names by `{name}`.
pub(crate) struct ModuleName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for ModuleName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = path_parameter(parts, state, "name").await?;
        let fits = (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        // Clients and proxies take these two for steps in the path, so that nobody could ask for such a module again.
        if fits && ![".", ".."].contains(&name.as_str()) {
            return Ok(Self(name));
        }
        let shown: String = name.chars().take(80).collect();
        Err(Problem::new(
            Code::InvalidName,
            format!("invalid module name {shown:?}: expected 1 to 64 letters, digits, '.', '_' or '-', and neither '.' nor '..'"),
        ))
    }
}

async fn path_parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, Problem> {
    let parameters = RawPathParams::from_request_parts(parts, state).await;
    let parameters = parameters.map_err(|error| Problem::new(Code::InvalidName, error.body_text()))?;
    let found = parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Problem::internal(&format!("the route has no parameter {name}")))
}

/// Parameters of the query, as a type of the route's own.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query(parts).map(Self)
    }
}

pub(super) fn query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Problem> {
    let malformed = |error: axum::extract::rejection::QueryRejection| Problem::new(Code::MalformedQuery, error.body_text());
    axum::extract::Query::try_from_uri(&parts.uri).map(|query| query.0).map_err(malformed)
}

/// Reads a body of at most `limit` bytes; `over` is the answer for a longer one. A client that falls silent is cut off.
pub(crate) async fn read_body(body: Body, limit: usize, over: impl Fn() -> Problem) -> Result<Vec<u8>, Problem> {
    let slow = |_| Problem::new(Code::SlowClient, "the body did not arrive in time");
    tokio::time::timeout(BODY_TIME, collect(body, limit, over)).await.map_err(slow)?
}

async fn collect(body: Body, limit: usize, over: impl Fn() -> Problem) -> Result<Vec<u8>, Problem> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(over());
    }
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    loop {
        let next = tokio::time::timeout(BODY_SILENCE, pieces.next()).await;
        match next.map_err(|_| Problem::new(Code::SlowClient, "the client stopped sending"))? {
            None => return Ok(bytes),
            Some(Err(error)) => return Err(Problem::new(Code::MalformedBody, format!("the body broke off: {error}"))),
            Some(Ok(piece)) if bytes.len() + piece.len() > limit => return Err(over()),
            Some(Ok(piece)) => bytes.extend_from_slice(&piece),
        }
    }
}

/// Reads a JSON body of at most `limit` bytes.
pub(crate) async fn read_json<T: DeserializeOwned>(body: Body, limit: usize, over: impl Fn() -> Problem) -> Result<T, Problem> {
    let bytes = read_body(body, limit, over).await?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::new(Code::MalformedBody, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over() -> Problem {
        Problem::new(Code::OverBound, "over")
    }

    #[tokio::test]
    async fn a_body_is_cut_off_at_the_bound_whatever_its_length_says() {
        let endless = || futures::stream::repeat(()).map(|()| Ok::<_, std::io::Error>(vec![b'x'; 1024]));
        let refused = read_body(Body::from_stream(endless()), 10_000, over).await.unwrap_err();
        assert_eq!(refused.code, Code::OverBound);
        assert_eq!(read_body(Body::from("abc"), 3, over).await.unwrap(), b"abc");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_falls_silent_is_cut_off() {
        let silent = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let refused = read_body(Body::from_stream(silent), 10, over).await.unwrap_err();
        assert_eq!(refused.code, Code::SlowClient);
    }

    #[tokio::test]
    async fn malformed_json_is_answered_with_the_place() {
        let refused = read_json::<Vec<u8>>(Body::from("[1,]"), 10, over).await.unwrap_err();
        assert_eq!(refused.code, Code::MalformedBody);
        assert!(refused.detail.contains("line 1 column 4"), "{}", refused.detail);
    }
}
