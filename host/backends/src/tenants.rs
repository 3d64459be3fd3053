//! What the stores of tenants and tokens share: records as text.

use mogbox_core::TenantRecord;
use mogbox_core::tokens::TokenRecord;

use crate::error::BackendError;

/// Bytes of the largest record of a tenant.
const MAX_RECORD: usize = 4 << 20;

pub(crate) fn write_record(record: &TenantRecord) -> Result<String, BackendError> {
    let text = serde_json::to_string(record).map_err(|error| BackendError::Malformed(error.to_string()))?;
    if text.len() > MAX_RECORD {
        return Err(BackendError::Malformed(format!("a tenant's record of {} bytes, at most {MAX_RECORD} are allowed", text.len())));
    }
    Ok(text)
}

pub(crate) fn read_record(text: &str) -> Result<TenantRecord, BackendError> {
    serde_json::from_str(text).map_err(|error| BackendError::Malformed(format!("a tenant's record: {error}")))
}

pub(crate) fn write_token(record: &TokenRecord) -> Result<String, BackendError> {
    serde_json::to_string(record).map_err(|error| BackendError::Malformed(error.to_string()))
}

pub(crate) fn read_token(text: &str) -> Result<TokenRecord, BackendError> {
    serde_json::from_str(text).map_err(|error| BackendError::Malformed(format!("a token's record: {error}")))
}
