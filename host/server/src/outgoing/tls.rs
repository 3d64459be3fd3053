//! TLS to the servers that guests talk to: this machine's certificate authorities, no others, and no way around them.

use std::sync::Arc;
use std::time::Duration;

use mogbox_core::outgoing::{FetchError, Target};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connect::LONGEST;
use super::reason;

/// Begins TLS on connections. Reads the machine's certificate authorities when it is first needed.
#[derive(Default)]
pub(super) struct Tls(OnceCell<TlsConnector>);

impl Tls {
    /// Shakes hands, and checks that the other side is who it should be.
    pub(super) async fn begin(
        &self,
        target: &Target,
        stream: TcpStream,
        patience: Option<Duration>,
    ) -> Result<TlsStream<TcpStream>, FetchError> {
        let time = patience.map_or(LONGEST, |patience| patience.min(LONGEST));
        let failed = |why: String| FetchError::Failed(format!("no TLS with {}: {why}", target.authority()));
        let connector = self.0.get_or_try_init(connector).await.map_err(failed)?;
        let name = match target.address() {
            Some(address) => ServerName::IpAddress(address.into()),
            None => ServerName::try_from(target.host().to_owned()).map_err(|error| failed(reason(&error)))?,
        };
        match tokio::time::timeout(time, connector.connect(name, stream)).await {
            Ok(begun) => begun.map_err(|error| failed(reason(&error))),
            Err(_) => Err(FetchError::Timeout(format!("no TLS with {} after {time:?}", target.authority()))),
        }
    }
}

async fn connector() -> Result<TlsConnector, String> {
    tokio::task::spawn_blocking(read_authorities).await.map_err(|error| error.to_string())?
}

fn read_authorities() -> Result<TlsConnector, String> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificate authorities of this machine cannot be read");
    }
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(found.certs);
    if authorities.is_empty() {
        return Err("this node has no certificate authorities: an operator can install them (ca-certificates), or name them in \
                    SSL_CERT_FILE"
            .into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let mut config = versions.with_root_certificates(authorities).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What one tenant's requests leave behind is of no use to another's.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}
