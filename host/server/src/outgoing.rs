//! Sends the HTTP requests of guests: a connection of its own for each, to an address that was checked, and a whole answer within its
//! bounds. Follows no redirect, uses no proxy, keeps no cookie, and unpacks nothing.

mod addresses;
mod connect;
mod exchange;
mod tls;
mod turns;

use std::sync::Arc;

use async_trait::async_trait;
use mogbox_core::Tenant;
use mogbox_core::outgoing::{Fetch, FetchBounds, FetchError, OutgoingRequest, OutgoingResponse, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};

use connect::{Network, SystemNetwork, connect};
use tls::Tls;
use turns::Turns;

/// Characters of another library's error that are passed on.
const MAX_REASON: usize = 300;

/// Sends requests. One a node.
pub(crate) struct HttpClient {
    network: Arc<dyn Network>,
    tls: Tls,
    turns: Turns,
}

impl HttpClient {
    /// A client that resolves names as this machine does.
    pub(crate) fn new() -> Self {
        Self { network: Arc::new(SystemNetwork), tls: Tls::default(), turns: Turns::default() }
    }
}

#[async_trait]
impl Fetch for HttpClient {
    async fn fetch(&self, tenant: &Tenant, request: OutgoingRequest, within: FetchBounds) -> Result<OutgoingResponse, FetchError> {
        let turn = self.turns.take(tenant, within.concurrency).await?;
        let stream = connect(self.network.as_ref(), &request.target, within.private, request.waits.connect, &turn).await?;
        let stream: Box<dyn Stream> = match request.target.scheme() {
            Scheme::Http => Box::new(stream),
            Scheme::Https => Box::new(self.tls.begin(&request.target, stream, request.waits.connect).await?),
        };
        exchange::exchange(stream, request, within.answer).await
    }
}

/// A connection, in the clear or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What went wrong in the words of a library, cut short: the other side may have a part in them.
fn reason(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string);
    let text = std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
    text.chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests;
