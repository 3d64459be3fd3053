//! Resolves a host once, checks every address that comes of it, and connects to one of those that passed: what the name stands for a
//! moment later is of no account.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mogbox_core::outgoing::{FetchError, Target};
use tokio::net::TcpStream;

use super::addresses::not_public;
use super::reason;
use super::turns::Turn;

/// Time for resolution and connection, and for a handshake after it.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Names and connections; the seam at which tests give names the addresses they like.
#[async_trait]
pub(super) trait Network: Send + Sync {
    /// What a name stands for now. The turn is held until the system has answered, even where nobody waits any more.
    async fn resolve(&self, host: &str, port: u16, turn: Arc<Turn>) -> io::Result<Vec<SocketAddr>>;

    /// A connection to an address.
    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// This machine's.
pub(super) struct SystemNetwork;

#[async_trait]
impl Network for SystemNetwork {
    async fn resolve(&self, host: &str, port: u16, turn: Arc<Turn>) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        let lookup = move || {
            // The system's lookup cannot be stopped and has a thread meanwhile, which counts for the tenant.
            let _turn = turn;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        };
        tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)?
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

/// A connection to a host, to an address that may be reached.
pub(super) async fn connect(
    network: &dyn Network,
    target: &Target,
    private: bool,
    patience: Option<Duration>,
    turn: &Arc<Turn>,
) -> Result<TcpStream, FetchError> {
    let time = patience.map_or(LONGEST, |patience| patience.min(LONGEST));
    let connected = async {
        let addresses = allowed(network, target, private, turn).await?;
        open(network, target, addresses).await
    };
    let late = || FetchError::Timeout(format!("no connection to {} after {time:?}", target.authority()));
    tokio::time::timeout(time, connected).await.unwrap_or_else(|_| Err(late()))
}

/// The addresses of a host that may be reached.
async fn allowed(network: &dyn Network, target: &Target, private: bool, turn: &Arc<Turn>) -> Result<Vec<SocketAddr>, FetchError> {
    let resolved = match target.address() {
        Some(address) => vec![SocketAddr::new(address, target.port())],
        None => {
            let unresolved = |error| FetchError::Failed(format!("{} cannot be resolved: {}", target.host(), reason(&error)));
            network.resolve(target.host(), target.port(), Arc::clone(turn)).await.map_err(unresolved)?
        }
    };
    let class = |address: &SocketAddr| if private { None } else { not_public(address.ip()) };
    let allowed: Vec<_> = resolved.iter().filter(|address| class(address).is_none()).copied().take(MAX_ADDRESSES).collect();
    match resolved.iter().find_map(class) {
        Some(class) if allowed.is_empty() => Err(refused(target, class)),
        _ => Ok(allowed),
    }
}

/// Says no address that the guest did not say itself: what a name stands for inside the node's network is none of its business.
fn refused(target: &Target, class: &str) -> FetchError {
    let host = target.host();
    let what = match target.address() {
        Some(IpAddr::V4(_) | IpAddr::V6(_)) => format!("{host} is not of the public internet ({class})"),
        None => format!("{host} stands for an address that is not of the public internet ({class})"),
    };
    FetchError::Denied(format!("{what}: an operator can allow it with a rule for private addresses"))
}

async fn open(network: &dyn Network, target: &Target, addresses: Vec<SocketAddr>) -> Result<TcpStream, FetchError> {
    let mut last = None;
    for address in addresses {
        match network.open(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(|| "it has no address".to_owned(), |error| reason(&error));
    Err(FetchError::Failed(format!("cannot connect to {}: {why}", target.authority())))
}
