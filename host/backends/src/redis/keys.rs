//! The names of all keys of the stores, and how long each lives. Mognet's are facts; `mogbox` marks those of our own.

use mogbox_core::ids::{Digest, RequestId, Tenant};

/// Seconds that a result, its metadata and its children live after they were last written.
pub(super) const RESULT_TTL: u64 = 21 * 86_400;

/// Seconds that a value lives.
pub(super) const VALUE_TTL: u64 = 7 * 86_400;

/// Seconds that a report lives: as long as the value it explains.
pub(super) const REPORT_TTL: u64 = VALUE_TTL;

/// Seconds that state lives after it was last read or written.
pub(super) const STATE_TTL: u64 = 7_200;

/// Keys of the results that are not final, as `results/standing.lua` names it. Gone when all are.
pub(super) const OPEN: &str = "mogbox.open";

/// Never exists: whether it could be written tells whether the server takes writes.
pub(super) const PROBE: &str = "mogbox.probe";

/// Counts the changes of all tenants' modules. Lives for ever.
pub(super) const GENERATION: &str = "mogbox.modules";

/// Each tenant's record. Lives for ever.
pub(super) const TENANTS: &str = "mogbox.tenants";

/// Tenants by the revision of their record, also of those whose record was removed. Lives for ever.
pub(super) const TENANT_REVISIONS: &str = "mogbox.tenants.revisions";

/// Each token's record by its digest. Lives for ever.
pub(super) const TOKENS: &str = "mogbox.tokens";

/// When each token was last used, in seconds since 1970.
pub(super) const TOKEN_USES: &str = "mogbox.tokens.used";

/// What a tenant used in a day. Lives for 400 days.
pub(super) fn usage(tenant: &Tenant, day: jiff::civil::Date) -> String {
    format!("{tenant}.mogbox.usage.{day}")
}

pub(super) fn result(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mognet.result.{id}")
}

/// The result that a key is of; none for a key that is no result's.
pub(super) fn of_result(key: &str) -> Option<(Tenant, RequestId)> {
    let (tenant, id) = key.rsplit_once(".mognet.result.")?;
    Some((tenant.parse().ok()?, id.parse().ok()?))
}

pub(super) fn value(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mognet.result.{id}/value")
}

pub(super) fn metadata(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mognet.result.{id}/metadata")
}

pub(super) fn children(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mognet.result.{id}/children")
}

pub(super) fn state(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mognet.state.{id}")
}

/// Carries a message without text once the result is final. A node listens to those of the results that it waits for.
pub(super) fn finished_channel(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mogbox.finished.{id}")
}

/// The result that a message of [`finished_channel`] is about; none for a channel of another's.
pub(super) fn of_finished_channel(channel: &str) -> Option<(Tenant, RequestId)> {
    let (tenant, id) = channel.rsplit_once(".mogbox.finished.")?;
    Some((tenant.parse().ok()?, id.parse().ok()?))
}

pub(super) fn report(tenant: &Tenant, id: RequestId) -> String {
    format!("{tenant}.mogbox.report.{id}")
}

/// Lives as long as an index names it.
pub(super) fn module(digest: &Digest) -> String {
    format!("mogbox.module.{digest}")
}

/// Lives as long as the tenant has modules.
pub(super) fn modules(tenant: &Tenant) -> String {
    format!("{tenant}.mogbox.modules")
}
