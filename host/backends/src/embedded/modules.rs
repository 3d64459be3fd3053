//! Modules in tables: bytes by digest, and each tenant's index, replaced only by who knows its revision.

use async_trait::async_trait;
use mogbox_core::ids::{Digest, Tenant};
use mogbox_core::module::{ModuleIndex, Serving};
use mogbox_core::store::{IndexSnapshot, ModuleStore, StoreError};
use rusqlite::{Connection, OptionalExtension as _};

use super::Database;
use crate::error::BackendError;
use crate::modules::{check_digest, read_index, write_index};

/// The tables.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS modules (digest TEXT NOT NULL PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS module_indexes (tenant TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL);
";

/// Modules in the embedded database.
pub struct EmbeddedModules {
    database: Database,
}

impl EmbeddedModules {
    /// Modules in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ModuleStore for EmbeddedModules {
    async fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let row = (digest.to_string(), bytes.to_vec());
        let insert = "INSERT OR REPLACE INTO modules (digest, bytes) VALUES (?1, ?2)";
        self.database.call(move |connection| Ok(connection.prepare_cached(insert)?.execute(row)?)).await?;
        Ok(())
    }

    async fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let name = digest.to_string();
        let found: Option<Vec<u8>> = self.database.call(move |connection| bytes(connection, &name)).await?;
        match found {
            Some(bytes) => Ok(Some(check_digest(*digest, bytes).await?)),
            None => Ok(None),
        }
    }

    async fn generation(&self) -> Result<u64, StoreError> {
        Ok(self.database.call(generation).await?)
    }

    async fn serving(&self, tenants: &[Tenant]) -> Result<Vec<Serving>, StoreError> {
        let tenants = tenants.to_vec();
        let read = move |connection: &_| tenants.iter().map(|tenant| serving(connection, tenant)).collect();
        Ok(self.database.call(read).await?)
    }

    async fn index(&self, tenant: &Tenant) -> Result<IndexSnapshot, StoreError> {
        let tenant = tenant.clone();
        let found = self.database.call(move |connection| index(connection, &tenant)).await?;
        let read = |(revision, text): (u64, String)| Ok(IndexSnapshot { revision, index: read_index(&text)? });
        found.map_or_else(|| Ok(IndexSnapshot::default()), read)
    }

    async fn replace_index(&self, tenant: &Tenant, revision: u64, index: &ModuleIndex) -> Result<bool, StoreError> {
        let (tenant, document) = (tenant.clone(), write_index(index)?);
        Ok(self.database.call(move |connection| replace(connection, &tenant, revision, &document)).await?)
    }
}

fn bytes(connection: &Connection, digest: &str) -> Result<Option<Vec<u8>>, BackendError> {
    let mut select = connection.prepare_cached("SELECT bytes FROM modules WHERE digest = ?1")?;
    Ok(select.query_row([digest], |row| row.get(0)).optional()?)
}

fn revision(connection: &Connection, tenant: &Tenant) -> Result<u64, BackendError> {
    let mut select = connection.prepare_cached("SELECT revision FROM module_indexes WHERE tenant = ?1")?;
    let found: Option<i64> = select.query_row([tenant.as_str()], |row| row.get(0)).optional()?;
    unsigned(found.unwrap_or(0))
}

fn serving(connection: &Connection, tenant: &Tenant) -> Result<Serving, BackendError> {
    let found = index(connection, tenant)?;
    found.map_or_else(|| Ok(Serving::new()), |(_, document)| Ok(read_index(&document)?.serving()))
}

/// Revisions only grow, and no index is ever removed, so their sum grows with each change.
fn generation(connection: &Connection) -> Result<u64, BackendError> {
    let mut select = connection.prepare_cached("SELECT coalesce(sum(revision), 0) FROM module_indexes")?;
    unsigned(select.query_row([], |row| row.get(0))?)
}

fn unsigned(revision: i64) -> Result<u64, BackendError> {
    u64::try_from(revision).map_err(|_| BackendError::Malformed(format!("revision {revision} of a module index")))
}

fn index(connection: &Connection, tenant: &Tenant) -> Result<Option<(u64, String)>, BackendError> {
    let mut select = connection.prepare_cached("SELECT revision, document FROM module_indexes WHERE tenant = ?1")?;
    let found = select.query_row([tenant.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
    found.map(|(revision, document)| Ok((unsigned(revision)?, document))).transpose()
}

fn replace(connection: &Connection, tenant: &Tenant, revision: u64, document: &str) -> Result<bool, BackendError> {
    let present = self::revision(connection, tenant)?;
    if present != revision {
        return Ok(false);
    }
    let next = i64::try_from(revision.saturating_add(1)).unwrap_or(i64::MAX);
    let sql = "INSERT OR REPLACE INTO module_indexes (tenant, revision, document) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute((tenant.as_str(), next, document))?;
    Ok(true)
}
