//! Tenants, tokens and sums of usage in tables.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use mogbox_core::ids::{Digest, Tenant};
use mogbox_core::store::StoreError;
use mogbox_core::tenants::{MOST_CHANGES, TenantRecord, TenantSnapshot, TenantStore};
use mogbox_core::tokens::{TokenRecord, TokenStore};
use mogbox_core::usage::{Usage, UsageStore};
use rusqlite::{Connection, OptionalExtension as _};

use super::Database;
use crate::error::BackendError;
use crate::tenants::{read_record, read_token, write_record, write_token};

/// The tables. A tenant whose record was removed keeps its revision, so that the node learns of it.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS tenants (tenant TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL UNIQUE, record TEXT);
CREATE TABLE IF NOT EXISTS tokens (digest TEXT NOT NULL PRIMARY KEY, record TEXT NOT NULL, used INTEGER);
CREATE TABLE IF NOT EXISTS usage_sums (tenant TEXT NOT NULL, day TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, name)) WITHOUT ROWID;
";

/// Tenants, tokens and usage in the embedded database.
pub struct EmbeddedTenants {
    database: Database,
}

impl EmbeddedTenants {
    /// Those in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

fn snapshot(revision: i64, record: Option<&str>) -> Result<TenantSnapshot, BackendError> {
    let malformed = |_| BackendError::Malformed(format!("revision {revision} of a tenant's record"));
    Ok(TenantSnapshot { revision: u64::try_from(revision).map_err(malformed)?, record: record.map(read_record).transpose()? })
}

fn read(connection: &Connection, tenant: &str) -> Result<(i64, Option<String>), BackendError> {
    let mut select = connection.prepare_cached("SELECT revision, record FROM tenants WHERE tenant = ?1")?;
    Ok(select.query_row([tenant], |row| Ok((row.get(0)?, row.get(1)?))).optional()?.unwrap_or((0, None)))
}

#[async_trait]
impl TenantStore for EmbeddedTenants {
    async fn read(&self, tenant: &Tenant) -> Result<TenantSnapshot, StoreError> {
        let tenant = tenant.clone();
        let (revision, record) = self.database.call(move |connection| read(connection, tenant.as_str())).await?;
        Ok(snapshot(revision, record.as_deref())?)
    }

    async fn replace(&self, tenant: &Tenant, revision: u64, record: Option<&TenantRecord>) -> Result<bool, StoreError> {
        let (tenant, text) = (tenant.clone(), record.map(write_record).transpose()?);
        let work = move |connection: &Connection| {
            if u64::try_from(read(connection, tenant.as_str())?.0) != Ok(revision) {
                return Ok(false);
            }
            let sql = "INSERT OR REPLACE INTO tenants (tenant, revision, record)
                VALUES (?1, (SELECT coalesce(max(revision), 0) + 1 FROM tenants), ?2)";
            connection.prepare_cached(sql)?.execute((tenant.as_str(), text.as_deref()))?;
            Ok(true)
        };
        Ok(self.database.call(work).await?)
    }

    async fn changes(&self, after: u64) -> Result<Vec<(Tenant, TenantSnapshot)>, StoreError> {
        let (after, most) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(MOST_CHANGES).unwrap_or(i64::MAX));
        let work = move |connection: &Connection| {
            let sql = "SELECT tenant, revision, record FROM tenants WHERE revision > ?1 ORDER BY revision LIMIT ?2";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([after, most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<Vec<(String, i64, Option<String>)>, _>>()?)
        };
        let rows = self.database.call(work).await?;
        let each = rows.into_iter().map(|(name, revision, record)| {
            let tenant = name.parse().map_err(|error| BackendError::Malformed(format!("a tenant's record: {error}")))?;
            Ok((tenant, snapshot(revision, record.as_deref())?))
        });
        Ok(each.collect::<Result<_, BackendError>>()?)
    }
}

#[async_trait]
impl TokenStore for EmbeddedTenants {
    async fn put(&self, record: &TokenRecord) -> Result<(), StoreError> {
        let row = (record.digest.to_string(), write_token(record)?);
        let sql = "INSERT OR REPLACE INTO tokens (digest, record) VALUES (?1, ?2)";
        Ok(self.database.call(move |connection| Ok(connection.prepare_cached(sql)?.execute(row)?)).await.map(drop)?)
    }

    async fn find(&self, digest: &Digest) -> Result<Option<TokenRecord>, StoreError> {
        let digest = digest.to_string();
        let work = move |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT record, used FROM tokens WHERE digest = ?1")?;
            Ok(select.query_row([digest], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).optional()?)
        };
        let found = self.database.call(work).await?;
        Ok(found.map(|(text, used)| token(&text, used)).transpose()?)
    }

    async fn list(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let work = |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT record, used FROM tokens")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<Vec<(String, Option<i64>)>, _>>()?)
        };
        let found = self.database.call(work).await?;
        Ok(found.iter().map(|(text, used)| token(text, *used)).collect::<Result<_, _>>()?)
    }

    async fn count(&self) -> Result<usize, StoreError> {
        let count = |connection: &Connection| Ok(connection.query_row("SELECT count(*) FROM tokens", [], |row| row.get::<_, i64>(0))?);
        Ok(usize::try_from(self.database.call(count).await?).unwrap_or(usize::MAX))
    }

    async fn used(&self, digest: &Digest, at: Timestamp) -> Result<(), StoreError> {
        let row = (digest.to_string(), at.as_second());
        let sql = "UPDATE tokens SET used = ?2 WHERE digest = ?1";
        Ok(self.database.call(move |connection| Ok(connection.prepare_cached(sql)?.execute(row)?)).await.map(drop)?)
    }

    async fn remove(&self, digests: &[Digest]) -> Result<(), StoreError> {
        let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
        let work = move |connection: &Connection| {
            let mut delete = connection.prepare_cached("DELETE FROM tokens WHERE digest = ?1")?;
            Ok(digests.iter().try_for_each(|digest| delete.execute([digest]).map(drop))?)
        };
        Ok(self.database.call(work).await?)
    }
}

fn token(text: &str, used: Option<i64>) -> Result<TokenRecord, BackendError> {
    Ok(TokenRecord { last_used: used.and_then(|second| Timestamp::from_second(second).ok()), ..read_token(text)? })
}

#[async_trait]
impl UsageStore for EmbeddedTenants {
    async fn add(&self, day: Date, sums: &[(Tenant, Usage)]) -> Result<(), StoreError> {
        let (day, sums) = (day.to_string(), sums.to_vec());
        let work = move |connection: &Connection| {
            let sql = "INSERT INTO usage_sums (tenant, day, name, number) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO UPDATE SET number = min(number + ?4, 4000000000000000000)";
            let mut add = connection.prepare_cached(sql)?;
            for (tenant, usage) in &sums {
                for (name, number) in usage.numbers().into_iter().filter(|(_, number)| *number > 0) {
                    let number = i64::try_from(number).unwrap_or(i64::MAX).min(4_000_000_000_000_000_000);
                    add.execute((tenant.as_str(), &day, name, number))?;
                }
            }
            Ok(())
        };
        Ok(self.database.call(work).await?)
    }

    async fn read(&self, tenant: &Tenant, days: &[Date]) -> Result<Vec<Usage>, StoreError> {
        let (tenant, days) = (tenant.clone(), days.to_vec());
        let work = move |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT name, number FROM usage_sums WHERE tenant = ?1 AND day = ?2")?;
            let mut read = |day: &Date| {
                let rows = select.query_map((tenant.as_str(), day.to_string()), |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
                let numbers = rows.collect::<Result<Vec<(String, i64)>, _>>()?;
                let positive = numbers.iter().map(|(name, number)| (name.as_str(), u64::try_from(*number).unwrap_or(0)));
                Ok(Usage::of_numbers(positive))
            };
            days.iter().map(&mut read).collect::<Result<_, BackendError>>()
        };
        Ok(self.database.call(work).await?)
    }
}
