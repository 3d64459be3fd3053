//! Connections: a bounded number of them, each with a bounded time to send its headers, ended in good order at shutdown.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// Connections at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1_024;

/// Longest time for the headers of a request, and longest idle time between two.
const HEADER_TIME: Duration = Duration::from_secs(15);

/// Bytes of headers, and of what is read ahead of a body.
const BUFFER: usize = 64 << 10;

/// Longest time in which a client takes nothing of an answer.
const STALL: Duration = Duration::from_secs(30);

/// Longest time that open connections have to end after a shutdown.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Serves until `stopping` is cancelled and the last answers are out.
pub(crate) async fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) {
    serve_at_most(MAX_CONNECTIONS, STALL, listener, router, stopping).await;
}

async fn serve_at_most(most: usize, stall: Duration, listener: TcpListener, router: Router, stopping: CancellationToken) {
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(most));
    loop {
        let (permit, stream) = tokio::select! {
            next = next(&permits, &listener) => next,
            () = stopping.cancelled() => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http().serve_connection(TokioIo::new(Box::pin(read_in_time(stream, stall))), service);
        let watched = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(LAST_ANSWERS, connections.shutdown()).await.is_err() {
        tracing::warn!("some connections were cut off at shutdown");
    }
}

/// A connection that ends with an error where its client does not read.
fn read_in_time(stream: TcpStream, stall: Duration) -> TimeoutStream<TcpStream> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(stall));
    stream
}

fn http() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(BUFFER);
    builder
}

/// The next connection, once there is a place for it.
async fn next(permits: &Arc<Semaphore>, listener: &TcpListener) -> (Option<OwnedSemaphorePermit>, TcpStream) {
    // Nobody closes the semaphore, so that there always is a permit.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    (permit, accept(listener).await)
}

/// The next connection. Where the system has no room for one, it may have some soon.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small: waiting to fill a packet only delays them. Where it fails they are merely slower.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_node_stops_although_every_connection_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = CancellationToken::new();
        let serving = tokio::spawn(serve_at_most(1, STALL, listener, Router::new(), stopping.clone()));
        let mut taken = TcpStream::connect(address).await.unwrap();
        taken.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        // Once it is answered, it holds the only permit until it is closed.
        assert!(taken.read(&mut [0; 64]).await.unwrap() > 0);
        stopping.cancel();
        tokio::time::timeout(HEADER_TIME / 2, serving).await.unwrap().unwrap();
        drop(taken);
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_makes_way_for_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { vec![0_u8; 64 << 20] }));
        let serving = tokio::spawn(serve_at_most(1, Duration::from_millis(100), listener, router, CancellationToken::new()));
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(request).await.unwrap();
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(request).await.unwrap();
        let mut start = [0; 64];
        tokio::time::timeout(HEADER_TIME, other.read_exact(&mut start)).await.unwrap().unwrap();
        serving.abort();
        drop(silent);
    }
}
