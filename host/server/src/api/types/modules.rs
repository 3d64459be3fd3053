//! The bodies of `/v1/modules`.

use jiff::Timestamp;
use mogbox_core::Digest;
use mogbox_core::module::{Inspection, TaskDescription, Version};
use mogbox_core::signature::KeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `PUT /v1/modules/{name}` and each entry of `GET /v1/modules`: the active version of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ModuleSummary {
    /// The module's name.
    pub(crate) name: String,
    /// SHA-256 of the active version.
    #[schema(value_type = String)]
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) size: u64,
    /// When it was uploaded.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) uploaded: Timestamp,
    /// What it serves.
    #[schema(value_type = Vec<Object>)]
    pub(crate) tasks: Vec<TaskDescription>,
    /// The key that signed it, where the tenant asks for signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) signed_by: Option<KeyId>,
}

impl ModuleSummary {
    /// A version under its module's name.
    pub(crate) fn of(name: &str, version: &Version) -> Self {
        let Version { digest, size, uploaded, tasks, signed_by } = version.clone();
        Self { name: name.to_owned(), digest, size, uploaded, tasks, signed_by }
    }
}

/// `PUT /v1/modules/{name}?dry_run=true`: what the module is, which was not activated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DryRun {
    /// The name under which it would be active.
    pub(crate) name: String,
    /// SHA-256 of its bytes.
    #[schema(value_type = String)]
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) size: u64,
    /// What it imports.
    pub(crate) imports: Vec<String>,
    /// What it exports.
    pub(crate) exports: Vec<String>,
    /// What it would serve.
    #[schema(value_type = Vec<Object>)]
    pub(crate) tasks: Vec<TaskDescription>,
    /// Bytes of its machine code.
    pub(crate) compiled_bytes: u64,
    /// How long it took to compile; none where it was compiled before.
    pub(crate) compile_ms: Option<u64>,
}

impl DryRun {
    /// What was found in the module that would be this version. Field by field: what is flattened does not keep JSON as text.
    pub(crate) fn of(name: String, version: Version, inspection: Inspection) -> Self {
        let Inspection { imports, exports, tasks: _, compiled_bytes, compile_ms } = inspection;
        let Version { digest, size, tasks, .. } = version;
        Self { name, digest, size, imports, exports, tasks, compiled_bytes, compile_ms }
    }
}

/// `DELETE /v1/modules/{name}`: what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Removed {
    /// The module.
    pub(crate) name: String,
    /// The version; the whole module where there is none.
    #[schema(value_type = Option<String>)]
    pub(crate) version: Option<Digest>,
}

/// `GET /v1/modules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ModuleList {
    /// Sorted by name.
    pub(crate) modules: Vec<ModuleSummary>,
}

/// `GET /v1/modules/{name}`: a module with its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ModuleView {
    /// The module's name.
    pub(crate) name: String,
    /// The version that serves requests.
    #[schema(value_type = String)]
    pub(crate) active: Digest,
    /// Every version kept, oldest first.
    #[schema(value_type = Vec<Object>)]
    pub(crate) versions: Vec<Version>,
}

/// `POST /v1/modules/{name}/roll-back`: which version to go back to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollBack {
    /// The version; the one before the active one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) to: Option<Digest>,
}
