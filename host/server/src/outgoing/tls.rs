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
    let authorities = tokio::task::spawn_blocking(of_this_machine).await.map_err(|error| error.to_string())??;
    trusting(authorities)
}

fn of_this_machine() -> Result<RootCertStore, String> {
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
    Ok(authorities)
}

fn trusting(authorities: RootCertStore) -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let mut config = versions.with_root_certificates(authorities).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What one tenant's requests leave behind is of no use to another's.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::ServerConfig;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server with a certificate for this name, which says one letter, and a client that trusts nobody else.
    async fn server(name: &str) -> (SocketAddr, Tls) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut authorities = RootCertStore::empty();
        authorities.add(cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
        let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust it hangs up.
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
                let _ = stream.write_all(b"x").await;
            }
        });
        (address, Tls(OnceCell::new_with(Some(trusting(authorities).unwrap()))))
    }

    async fn begin(tls: &Tls, host: &str, address: SocketAddr) -> Result<TlsStream<TcpStream>, FetchError> {
        let target = Target::parse(None, host, "/").unwrap();
        tls.begin(&target, TcpStream::connect(address).await.unwrap(), None).await
    }

    #[tokio::test]
    async fn a_server_is_believed_where_its_certificate_is_for_its_name_or_address() {
        for host in ["a.example", "127.0.0.1"] {
            let (address, tls) = server(host).await;
            let mut said = [0];
            begin(&tls, host, address).await.unwrap().read_exact(&mut said).await.unwrap();
            assert_eq!(&said, b"x", "{host}");
        }
    }

    #[tokio::test]
    async fn a_server_with_the_certificate_of_another_is_not() {
        let (address, tls) = server("other.example").await;
        let error = begin(&tls, "a.example", address).await.unwrap_err();
        assert!(matches!(&error, FetchError::Failed(text) if text.starts_with("no TLS with a.example: ")), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_nobody_vouches_for_is_not() {
        let (address, _) = server("a.example").await;
        let (_, strangers) = server("a.example").await;
        assert!(matches!(begin(&strangers, "a.example", address).await, Err(FetchError::Failed(_))));
    }
}
