//! The calls of which the client library would take an answer of any size: manifests and lists of tags, read up to a bound.

use anyhow::{Context as _, anyhow, bail};
use oci_client::manifest::{IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE};
use oci_client::secrets::RegistryAuth;
use reqwest::header::ACCEPT;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::credentials::Credentials;
use super::{CONNECT_TIME, Location, SILENCE};

/// Bytes of a manifest: as many as the standard has registries take.
const MAX_MANIFEST: usize = 4 << 20;

/// Bytes of a list of tags.
const MAX_LIST: usize = 64 << 10;

/// Tags shown where one is not found.
const TAGS: usize = 20;

/// A client of one registry.
pub(super) struct Web {
    client: reqwest::Client,
    base: String,
}

/// The tags of a repository.
#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

impl Web {
    /// Nothing is sent yet.
    pub(super) fn new(location: &Location, plain: bool) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().connect_timeout(CONNECT_TIME).read_timeout(SILENCE).https_only(!plain);
        let client = client.build().context("cannot prepare TLS")?;
        let scheme = if plain { "http" } else { "https" };
        Ok(Self { client, base: format!("{scheme}://{}/v2/{}", location.registry(), location.repository()) })
    }

    /// The manifest that a location names, of any kind: what it is is for the caller to judge.
    pub(super) async fn manifest(&self, location: &Location, credentials: &Credentials, token: Option<&str>) -> anyhow::Result<Vec<u8>> {
        let path = format!("/manifests/{}", location.version());
        let kinds = [OCI_IMAGE_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE];
        let answer = self.get(&path, &kinds.join(", "), credentials, token).await;
        let answer = answer.map_err(|error| explain(error, location, credentials))?;
        match answer.status() {
            StatusCode::OK => read(answer, MAX_MANIFEST).await.with_context(|| format!("cannot read the manifest of {location}")),
            StatusCode::NOT_FOUND => Err(self.not_found(location, credentials, token).await),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(credentials.refused(location)),
            other => bail!("{} answered {other} when asked for {location}", location.registry()),
        }
    }

    async fn not_found(&self, location: &Location, credentials: &Credentials, token: Option<&str>) -> anyhow::Error {
        let known = match self.tags(credentials, token).await {
            Some(tags) if !tags.is_empty() => format!("{} has the tags {}", location.repository(), tags.join(", ")),
            _ => format!("there is nothing under {}, or nothing for us to see", location.repository()),
        };
        anyhow!("{} has no {location}: {known}", location.registry())
    }

    /// Some of the tags; none where the registry does not tell.
    async fn tags(&self, credentials: &Credentials, token: Option<&str>) -> Option<Vec<String>> {
        let answer = self.get(&format!("/tags/list?n={TAGS}"), "application/json", credentials, token).await.ok()?;
        let body = read(answer.error_for_status().ok()?, MAX_LIST).await.ok()?;
        let list: TagList = serde_json::from_slice(&body).ok()?;
        let mut tags: Vec<String> = list.tags?.into_iter().take(TAGS).map(|tag| tag.chars().take(128).collect()).collect();
        tags.sort();
        Some(tags)
    }

    async fn get(&self, path: &str, accept: &str, credentials: &Credentials, token: Option<&str>) -> reqwest::Result<Response> {
        let request = self.client.get(format!("{}{path}", self.base)).header(ACCEPT, accept);
        let request = match (token, credentials.auth()) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        };
        request.send().await
    }
}

/// Reads an answer of at most so many bytes.
async fn read(mut answer: Response, bound: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > bound {
            bail!("it is over {bound} bytes, the most that is taken");
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// What a call that brought no answer means.
pub(super) fn explain(error: reqwest::Error, location: &Location, credentials: &Credentials) -> anyhow::Error {
    let registry = location.registry();
    match error.status() {
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => credentials.refused(location),
        Some(StatusCode::NOT_FOUND) => anyhow!("{registry} has not all of {location}: publish it again"),
        Some(status) => anyhow!("{registry} answered {status} when asked for {location}"),
        None if error.is_connect() => {
            let way_out = "check host and port, and whether it speaks TLS: a registry that does not is reached with --insecure-http";
            anyhow!(error.without_url()).context(format!("no registry answers at {registry}: {way_out}"))
        }
        None => anyhow!(error.without_url()).context(format!("the call to {registry} failed")),
    }
}
