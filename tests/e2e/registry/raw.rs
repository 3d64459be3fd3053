//! A registry spoken to in plain HTTP, so that what is read is not only what Mogbox wrote itself, and the other way round.

use mogbox_core::Digest;
use mogbox_fixtures::RegistryServer;
use serde_json::{Value, json};

/// The media types of a component in a registry, as the WebAssembly tools write them.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(super) const LAYER: &str = "application/wasm";

/// A repository of a registry.
pub(super) struct Repository {
    agent: ureq::Agent,
    url: String,
}

impl Repository {
    pub(super) fn new(server: &RegistryServer, name: &str) -> Self {
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        Self { agent, url: format!("http://{}/v2/{name}", server.host()) }
    }

    /// Keeps a blob and describes it.
    pub(super) fn put_blob(&self, kind: &str, bytes: &[u8]) -> Value {
        let digest = format!("sha256:{}", Digest::of(bytes));
        let begun = self.agent.post(format!("{}/blobs/uploads/", self.url)).send_empty().unwrap();
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let separator = if location.contains('?') { '&' } else { '?' };
        self.agent.put(format!("{location}{separator}digest={digest}")).send(bytes).unwrap();
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
    }

    /// Keeps a manifest under a tag and returns its digest.
    pub(super) fn put_manifest(&self, tag: &str, manifest: &Value) -> String {
        let (text, kind) = (manifest.to_string(), manifest["mediaType"].as_str().unwrap());
        self.agent.put(format!("{}/manifests/{tag}", self.url)).content_type(kind).send(&text).unwrap();
        format!("sha256:{}", Digest::of(text.as_bytes()))
    }

    /// Keeps a component as `wkg oci push` does, with something changed, and returns the digest of its manifest.
    pub(super) fn put_component(&self, tag: &str, bytes: &[u8], change: impl FnOnce(&mut Value)) -> String {
        let layer = self.put_blob(LAYER, bytes);
        let config = json!({
            "created": "2026-01-01T00:00:00Z", "author": "tests", "architecture": "wasm", "os": "wasip2",
            "layerDigests": [layer["digest"]],
            "component": { "exports": ["mogbox:task/tasks@0.1.0"], "imports": [], "target": null },
        });
        let config = self.put_blob(CONFIG, config.to_string().as_bytes());
        let annotations = json!({ "org.opencontainers.image.title": "a component" });
        let mut manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "annotations": annotations });
        change(&mut manifest);
        self.put_manifest(tag, &manifest)
    }

    /// The manifest under a tag or digest, as it is.
    pub(super) fn manifest(&self, version: &str) -> String {
        let mut answer = self.agent.get(format!("{}/manifests/{version}", self.url)).header("accept", MANIFEST).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    /// A blob that a manifest describes.
    pub(super) fn blob(&self, described: &Value) -> Vec<u8> {
        let digest = described["digest"].as_str().unwrap();
        self.agent.get(format!("{}/blobs/{digest}", self.url)).call().unwrap().body_mut().read_to_vec().unwrap()
    }
}
