//! The layout of a component in a registry: which manifests hold one. Reads what strangers wrote.

use anyhow::{Context as _, bail};
use mogbox_core::Digest;
use oci_client::manifest::{OciImageManifest, OciManifest};
use oci_wasm::{WASM_LAYER_MEDIA_TYPE, WASM_MANIFEST_CONFIG_MEDIA_TYPE};

use super::MAX_COMPONENT;

/// The layer that is the component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// The digest of its bytes.
    pub(super) component: Digest,
    /// How many they are, as the manifest says.
    pub(super) size: u64,
}

/// Reads a manifest, and names what it is where it holds no component.
pub(super) fn read(manifest: &[u8]) -> anyhow::Result<Layer> {
    match serde_json::from_slice(manifest).context("its manifest makes no sense")? {
        OciManifest::Image(manifest) => only_layer(&manifest),
        OciManifest::ImageIndex(index) => {
            bail!("it is an index of {} images, expected one component: name one of them by its digest", index.manifests.len())
        }
    }
}

fn only_layer(manifest: &OciImageManifest) -> anyhow::Result<Layer> {
    let kind = &manifest.config.media_type;
    if kind != WASM_MANIFEST_CONFIG_MEDIA_TYPE {
        bail!(
            "its config is of type {kind:?}, expected {WASM_MANIFEST_CONFIG_MEDIA_TYPE}, as `mogbox publish` and `wkg oci push` write it"
        );
    }
    let [layer] = manifest.layers.as_slice() else {
        bail!("it has {} layers, expected one", manifest.layers.len());
    };
    if layer.media_type != WASM_LAYER_MEDIA_TYPE {
        bail!("its layer is of type {:?}, expected {WASM_LAYER_MEDIA_TYPE}", layer.media_type);
    }
    let size = u64::try_from(layer.size).ok().filter(|size| (1..=MAX_COMPONENT).contains(size));
    let Some(size) = size else {
        bail!("it has {} bytes, expected 1 to {MAX_COMPONENT}, the maximum of the bound module", layer.size);
    };
    let digest = layer.digest.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
    let Some(component) = digest else {
        bail!("its layer has the digest {:?}, expected a SHA-256", layer.digest);
    };
    Ok(Layer { component, size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn manifest() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": format!("sha256:{}", Digest::of(b"{}")), "size": 2 },
            "layers": [{ "mediaType": "application/wasm", "digest": format!("sha256:{}", Digest::of(b"x")), "size": 1 }],
        })
    }

    fn changed(pointer: &str, value: Value) -> anyhow::Result<Layer> {
        let mut manifest = manifest();
        *manifest.pointer_mut(pointer).unwrap() = value;
        read(manifest.to_string().as_bytes())
    }

    #[test]
    fn one_layer_of_wasm_under_a_config_of_wasm_is_a_component() {
        assert_eq!(read(manifest().to_string().as_bytes()).unwrap(), Layer { component: Digest::of(b"x"), size: 1 });
    }

    #[test]
    fn everything_else_is_refused_by_what_it_is_with_what_is_expected() {
        let layer = manifest()["layers"][0].clone();
        let cases = [
            ("/config/mediaType", json!("application/vnd.docker.container.image.v1+json"), "vnd.docker.container.image"),
            ("/layers", json!([]), "0 layers, expected one"),
            ("/layers", json!([layer, layer]), "2 layers, expected one"),
            ("/layers/0/mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip"), "expected application/wasm"),
            ("/layers/0/size", json!(MAX_COMPONENT + 1), "expected 1 to 1073741824"),
            ("/layers/0/size", json!(-1), "it has -1 bytes"),
            ("/layers/0/size", json!(0), "it has 0 bytes"),
            ("/layers/0/digest", json!(format!("sha512:{}", "0".repeat(128))), "expected a SHA-256"),
            ("/layers/0/digest", json!("sha256:../../../etc"), "expected a SHA-256"),
            ("/layers", json!(1), "makes no sense"),
        ];
        for (pointer, value, expected) in cases {
            let error = format!("{:#}", changed(pointer, value).unwrap_err());
            assert!(error.contains(expected), "{pointer}: {error}");
        }
        let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [] });
        assert!(read(index.to_string().as_bytes()).unwrap_err().to_string().contains("index of 0 images"));
    }
}
