//! Components in OCI registries, in the layout in which the WebAssembly tools keep them: one layer of type `application/wasm` under a
//! config of type `application/vnd.wasm.config.v0+json`. Used by the command line alone; a node never talks to a registry.

mod credentials;
mod layout;
mod location;
mod web;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures::StreamExt as _;
use mogbox_core::{Bound, Digest};
use oci_client::RegistryOperation;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciImageManifest;
use oci_wasm::{ToConfig as _, WASM_MANIFEST_MEDIA_TYPE, WasmConfig};
use reqwest::header::HeaderValue;
use serde::Serialize;

use credentials::Credentials;
use layout::Layer;
pub(crate) use location::{Location, SCHEME};
use web::Web;

/// Time to connect.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Longest silence of a registry that answers.
const SILENCE: Duration = Duration::from_secs(60);

/// The largest component that is fetched or published: what the bound on modules may be raised to.
pub(crate) const MAX_COMPONENT: u64 = Bound::Module.maximum();

/// How a registry is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// User and password; those that docker knows where there are none.
    pub(crate) login: Option<(String, String)>,
    /// Without TLS, whatever the host.
    pub(crate) insecure_http: bool,
}

/// A place in a registry.
pub(crate) struct Registry {
    location: Location,
    client: oci_client::Client,
    web: Web,
    credentials: Credentials,
}

/// A component that a registry has: found, not fetched yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    /// The place, without its tag and with the digest.
    pub(crate) reference: String,
    /// The digest of the component's bytes.
    pub(crate) component: Digest,
    /// Its bytes, as the registry says.
    pub(crate) size: u64,
}

impl Registry {
    /// A client of the registry. Nothing is sent yet.
    pub(crate) fn open(location: Location, access: Access) -> anyhow::Result<Self> {
        // The first provider of cryptography that a process installs stays; where there is one already, it does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = location.is_loopback() || access.insecure_http;
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(CONNECT_TIME),
            read_timeout: Some(SILENCE),
            user_agent: concat!("mogbox/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = oci_client::Client::try_from(config).context("cannot prepare TLS")?;
        let web = Web::new(&location, plain)?;
        let credentials = Credentials::find(&location, access.login);
        Ok(Self { location, client, web, credentials })
    }

    /// Looks a component up, and checks that it is one.
    pub(crate) async fn find(&self) -> anyhow::Result<Found> {
        let token = self.enter(RegistryOperation::Pull).await?;
        let manifest = self.web.manifest(&self.location, &self.credentials, token.as_deref()).await?;
        let digest = Digest::of(&manifest);
        if let Some(wanted) = self.location.digest().filter(|wanted| *wanted != digest) {
            bail!("{} is not what it says: its digest is sha256:{digest}, expected sha256:{wanted}", self.location);
        }
        let Layer { component, size } = layout::read(&manifest).with_context(|| format!("{} is no component", self.location))?;
        Ok(Found { reference: self.location.at(&digest), component, size })
    }

    /// Fetches a component and checks that it is what was found; `fetched` hears how many bytes there are so far. What was written is
    /// worth nothing where this fails.
    pub(crate) async fn fetch(&self, found: &Found, output: &mut impl Write, fetched: impl Fn(u64)) -> anyhow::Result<()> {
        let digest = format!("sha256:{}", found.component);
        let opened = self.client.pull_blob_stream(self.location.reference(), digest.as_str()).await;
        let mut pieces = opened.map_err(|error| self.explain(error))?;
        let mut size = 0_u64;
        while let Some(piece) = pieces.next().await {
            let piece = piece.with_context(|| format!("the component of {} did not arrive whole", self.location))?;
            size = size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if size > found.size {
                bail!("the component of {} is larger than the {} bytes that its manifest says", self.location, found.size);
            }
            output.write_all(&piece).context("cannot keep what was fetched")?;
            fetched(size);
        }
        if size < found.size {
            bail!("the component of {} has {size} bytes, its manifest says {}", self.location, found.size);
        }
        Ok(())
    }

    /// Puts a component there, under its tag.
    pub(crate) async fn publish(&self, component: Vec<u8>) -> anyhow::Result<Found> {
        if self.location.tag().is_none() {
            bail!("{} has no tag to publish under: expected one such as {}", self.location, self.location.example());
        }
        let (digest, size) = (Digest::of(&component), u64::try_from(component.len()).unwrap_or(u64::MAX));
        let (config, layer) = WasmConfig::from_raw_component(component, None).context("it is no component that can be read")?;
        let config = config.to_config()?;
        let mut manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, None);
        manifest.media_type = Some(WASM_MANIFEST_MEDIA_TYPE.to_owned());
        self.enter(RegistryOperation::Push).await?;
        let manifest_digest = self.send(layer.data, config.data, &manifest).await?;
        Ok(Found { reference: self.location.at(&manifest_digest), component: digest, size })
    }

    /// Sends the parts, and last what names them: until then nothing has changed for others.
    async fn send(&self, layer: bytes::Bytes, config: bytes::Bytes, manifest: &OciImageManifest) -> anyhow::Result<Digest> {
        let reference = self.location.reference();
        let named = manifest.layers.first().ok_or_else(|| anyhow!("a manifest without a layer"))?;
        for (bytes, digest) in [(layer, &named.digest), (config, &manifest.config.digest)] {
            self.client.push_blob(reference, bytes, digest).await.map_err(|error| self.explain(error))?;
        }
        let text = serde_json::to_vec(manifest)?;
        let digest = Digest::of(&text);
        let kind = HeaderValue::from_static(WASM_MANIFEST_MEDIA_TYPE);
        self.client.push_manifest_raw(reference, text, kind).await.map_err(|error| self.explain(error))?;
        Ok(digest)
    }

    /// Gets the token that the registry asks for, if any. The client keeps it for its own calls.
    async fn enter(&self, operation: RegistryOperation) -> anyhow::Result<Option<String>> {
        let entered = self.client.auth(self.location.reference(), self.credentials.auth(), operation).await;
        entered.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: OciDistributionError) -> anyhow::Error {
        match error {
            OciDistributionError::RequestError(error) => web::explain(error, &self.location, &self.credentials),
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                self.credentials.refused(&self.location)
            }
            OciDistributionError::RegistryError { envelope, .. } => {
                let text = envelope.errors.iter().take(3).map(|error| format!("{:?}: {}", error.code, error.message));
                anyhow!("{} answered {}", self.location.registry(), text.collect::<Vec<_>>().join(", "))
            }
            OciDistributionError::ServerError { code: 401 | 403, .. } => self.credentials.refused(&self.location),
            OciDistributionError::ServerError { code, .. } => anyhow!("{} answered with HTTP status {code}", self.location.registry()),
            other => anyhow!(other).context(format!("the call to {} failed", self.location.registry())),
        }
    }
}
