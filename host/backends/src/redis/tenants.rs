//! Tenants, tokens and sums of usage on Redis. All but the sums live for ever.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use mogbox_core::ids::{Digest, Tenant};
use mogbox_core::store::StoreError;
use mogbox_core::tenants::{MOST_CHANGES, TenantRecord, TenantSnapshot, TenantStore};
use mogbox_core::tokens::{TokenRecord, TokenStore};
use mogbox_core::usage::{Usage, UsageStore};
use redis::Script;

use super::scripts::script;
use super::{RedisConnection, keys};
use crate::error::BackendError;
use crate::tenants::{read_record, read_token, write_record, write_token};

static REPLACE: LazyLock<Script> = script!("tenants/replace.lua");

/// Sums are kept for a year, and some days.
const USAGE_LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);

/// Tenants, tokens and usage on a Redis server.
pub struct RedisTenants {
    connection: RedisConnection,
}

impl RedisTenants {
    /// Those on this server.
    #[must_use]
    pub const fn new(connection: RedisConnection) -> Self {
        Self { connection }
    }
}

fn snapshot(revision: Option<f64>, record: Option<&str>) -> Result<TenantSnapshot, BackendError> {
    Ok(TenantSnapshot { revision: whole(revision.unwrap_or(0.0))?, record: record.map(read_record).transpose()? })
}

/// Revisions are counted one by one, far below what a double holds exactly.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is no whole number of that range is refused before")]
fn whole(revision: f64) -> Result<u64, BackendError> {
    if revision.fract() == 0.0 && (0.0..9e15).contains(&revision) {
        return Ok(revision as u64);
    }
    Err(BackendError::Malformed(format!("revision {revision} of a tenant's record")))
}

#[async_trait]
impl TenantStore for RedisTenants {
    async fn read(&self, tenant: &Tenant) -> Result<TenantSnapshot, StoreError> {
        let mut questions = redis::pipe();
        questions.atomic().cmd("ZSCORE").arg(keys::TENANT_REVISIONS).arg(tenant.as_str());
        questions.cmd("HGET").arg(keys::TENANTS).arg(tenant.as_str());
        let (revision, record): (Option<f64>, Option<String>) = self.connection.pipeline(&questions).await?;
        Ok(snapshot(revision, record.as_deref())?)
    }

    async fn replace(&self, tenant: &Tenant, revision: u64, record: Option<&TenantRecord>) -> Result<bool, StoreError> {
        let text = record.map(write_record).transpose()?;
        let mut call = REPLACE.key(keys::TENANTS);
        call.key(keys::TENANT_REVISIONS).arg(tenant.as_str()).arg(revision);
        call.arg(u8::from(text.is_some())).arg(text.unwrap_or_default());
        Ok(self.connection.run(&call).await?)
    }

    async fn changes(&self, after: u64) -> Result<Vec<(Tenant, TenantSnapshot)>, StoreError> {
        let mut question = redis::cmd("ZRANGEBYSCORE");
        question.arg(keys::TENANT_REVISIONS).arg(format!("({after}")).arg("+inf").arg("WITHSCORES");
        question.arg("LIMIT").arg(0).arg(MOST_CHANGES);
        let changed: Vec<(String, f64)> = self.connection.query(&question).await?;
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let mut question = redis::cmd("HMGET");
        question.arg(keys::TENANTS);
        for (name, _) in &changed {
            question.arg(name);
        }
        let records: Vec<Option<String>> = self.connection.query(&question).await?;
        let each = changed.into_iter().zip(records).map(|((name, revision), record)| {
            let tenant = name.parse().map_err(|error| BackendError::Malformed(format!("a tenant's record: {error}")))?;
            Ok((tenant, snapshot(Some(revision), record.as_deref())?))
        });
        Ok(each.collect::<Result<_, BackendError>>()?)
    }
}

#[async_trait]
impl TokenStore for RedisTenants {
    async fn put(&self, record: &TokenRecord) -> Result<(), StoreError> {
        let text = write_token(record)?;
        Ok(self.connection.query(redis::cmd("HSET").arg(keys::TOKENS).arg(record.digest.to_string()).arg(text)).await.map(|_: u64| ())?)
    }

    async fn find(&self, digest: &Digest) -> Result<Option<TokenRecord>, StoreError> {
        let mut questions = redis::pipe();
        questions.cmd("HGET").arg(keys::TOKENS).arg(digest.to_string());
        questions.cmd("HGET").arg(keys::TOKEN_USES).arg(digest.to_string());
        let (record, used): (Option<String>, Option<i64>) = self.connection.pipeline(&questions).await?;
        Ok(record.map(|text| token(&text, used)).transpose()?)
    }

    async fn list(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let texts: Vec<(String, String)> = self.connection.query(redis::cmd("HGETALL").arg(keys::TOKENS)).await?;
        let uses: std::collections::HashMap<String, i64> = self.connection.query(redis::cmd("HGETALL").arg(keys::TOKEN_USES)).await?;
        let records = texts.iter().map(|(digest, text)| token(text, uses.get(digest).copied()));
        Ok(records.collect::<Result<_, _>>()?)
    }

    async fn count(&self) -> Result<usize, StoreError> {
        Ok(self.connection.query(redis::cmd("HLEN").arg(keys::TOKENS)).await?)
    }

    async fn used(&self, digest: &Digest, at: Timestamp) -> Result<(), StoreError> {
        let note = redis::cmd("HSET").arg(keys::TOKEN_USES).arg(digest.to_string()).arg(at.as_second()).to_owned();
        Ok(self.connection.query(&note).await.map(|_: u64| ())?)
    }

    async fn remove(&self, digests: &[Digest]) -> Result<(), StoreError> {
        if digests.is_empty() {
            return Ok(());
        }
        let mut changes = redis::pipe();
        for key in [keys::TOKENS, keys::TOKEN_USES] {
            changes.cmd("HDEL").arg(key).arg(digests.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
        Ok(self.connection.pipeline(&changes).await.map(|_: (u64, u64)| ())?)
    }
}

fn token(text: &str, used: Option<i64>) -> Result<TokenRecord, BackendError> {
    Ok(TokenRecord { last_used: used.and_then(|second| Timestamp::from_second(second).ok()), ..read_token(text)? })
}

#[async_trait]
impl UsageStore for RedisTenants {
    async fn add(&self, day: Date, sums: &[(Tenant, Usage)]) -> Result<(), StoreError> {
        for some in sums.chunks(MOST_CHANGES) {
            let mut changes = redis::pipe();
            for (tenant, usage) in some {
                let key = keys::usage(tenant, day);
                for (name, number) in usage.numbers().into_iter().filter(|(_, number)| *number > 0) {
                    changes.cmd("HINCRBY").arg(&key).arg(name).arg(i64::try_from(number).unwrap_or(i64::MAX)).ignore();
                }
                changes.cmd("EXPIRE").arg(&key).arg(USAGE_LIFETIME.as_secs()).ignore();
            }
            self.connection.pipeline::<()>(&changes).await?;
        }
        Ok(())
    }

    async fn read(&self, tenant: &Tenant, days: &[Date]) -> Result<Vec<Usage>, StoreError> {
        let mut questions = redis::pipe();
        for day in days {
            questions.cmd("HGETALL").arg(keys::usage(tenant, *day));
        }
        if days.is_empty() {
            return Ok(Vec::new());
        }
        let found: Vec<std::collections::HashMap<String, u64>> = self.connection.pipeline(&questions).await?;
        Ok(found.iter().map(|sums| Usage::of_numbers(sums.iter().map(|(name, number)| (name.as_str(), *number)))).collect())
    }
}
