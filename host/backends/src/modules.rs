//! What the module stores share: the index as text, and bytes that are what their digest says.

use mogbox_core::ids::Digest;
use mogbox_core::module::{ModuleIndex, Serving};

use crate::error::BackendError;

/// Bytes of the largest index.
pub(crate) const MAX_INDEX: usize = 16 << 20;

pub(crate) fn write_index(index: &ModuleIndex) -> Result<String, BackendError> {
    let text = serde_json::to_string(index).map_err(|error| BackendError::Malformed(error.to_string()))?;
    if text.len() > MAX_INDEX {
        return Err(BackendError::Malformed(format!("a module index of {} bytes, at most {MAX_INDEX} are allowed", text.len())));
    }
    Ok(text)
}

pub(crate) fn read_index(text: &str) -> Result<ModuleIndex, BackendError> {
    serde_json::from_str(text).map_err(|error| BackendError::Malformed(format!("module index: {error}")))
}

/// What an index serves, as text.
pub(crate) fn write_serving(index: &ModuleIndex) -> Result<String, BackendError> {
    serde_json::to_string(&index.serving()).map_err(|error| BackendError::Malformed(error.to_string()))
}

pub(crate) fn read_serving(text: &str) -> Result<Serving, BackendError> {
    serde_json::from_str(text).map_err(|error| BackendError::Malformed(format!("served tasks: {error}")))
}

/// Code is run by its digest: bytes that do not have it are never handed out.
pub(crate) async fn check_digest(digest: Digest, bytes: Vec<u8>) -> Result<Vec<u8>, BackendError> {
    let compare = move || if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(BackendError::Malformed(format!("module {digest}"))) };
    tokio::task::spawn_blocking(compare).await.map_err(|error| BackendError::Unavailable(error.to_string()))?
}
