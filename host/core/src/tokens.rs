//! Tokens: who may call the API, as whom, and to do what. Only a digest of each is stored; the token itself is shown once.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::ids::{Digest, Tenant};
use crate::store::StoreError;

/// What every token begins with, so that one that leaked is recognised.
const PREFIX: &str = "mogbox_";

/// Random bytes of a token.
const SECRET: usize = 32;

/// Tokens of a store.
pub const MOST_TOKENS: usize = 100_000;

/// Bytes of a token's description.
pub const LONGEST_NOTE: usize = 200;

/// A token, as its holder has it. Shows nothing of itself in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one of 256 random bits.
    #[must_use]
    pub fn random() -> Self {
        let mut secret: [u8; SECRET] = rand::random();
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        secret.zeroize();
        Self(text)
    }

    /// What is stored of it, and what it is found by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// The text, for its holder.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A text that is no token. Does not say the text: it may be a password that was mistaken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid token: expected mogbox_ and 43 letters, digits, '-' or '_'")]
pub struct InvalidToken;

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let secret = text.strip_prefix(PREFIX).ok_or(InvalidToken)?;
        let decoded = URL_SAFE_NO_PAD.decode(secret.get(..secret.len().min(64)).unwrap_or_default());
        if decoded.is_ok_and(|bytes| bytes.len() == SECRET) && secret.len() == 43 { Ok(Self(text.to_owned())) } else { Err(InvalidToken) }
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read requests, metadata, modules, queues, usage.
    Read,
    /// Submit, revoke and purge requests, and write their metadata.
    Submit,
    /// Upload, roll back and delete modules.
    Upload,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Upload];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Upload => "upload",
        }
    }
}

/// Whom a token lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// An operator: everything, of every tenant.
    Admin,
    /// A tenant, for some of what it may do.
    Tenant {
        /// Which.
        tenant: Tenant,
        /// For what.
        scopes: Vec<Scope>,
    },
}

/// What is stored of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The digest of the token; its first 16 digits are the id by which people name it.
    pub digest: Digest,
    /// Whom it lets in.
    pub grant: Grant,
    /// What it is for, for people.
    #[serde(default)]
    pub note: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to the minute; none where it never was.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
}

impl TokenRecord {
    /// The id by which people name it.
    #[must_use]
    pub fn id(&self) -> String {
        self.digest.to_string().chars().take(16).collect()
    }
}

/// Tokens by their digests.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Stores a new one.
    async fn put(&self, record: &TokenRecord) -> Result<(), StoreError>;

    /// One by its digest.
    async fn find(&self, digest: &Digest) -> Result<Option<TokenRecord>, StoreError>;

    /// All of them.
    async fn list(&self) -> Result<Vec<TokenRecord>, StoreError>;

    /// How many there are.
    async fn count(&self) -> Result<usize, StoreError>;

    /// Notes that one was used.
    async fn used(&self, digest: &Digest, at: Timestamp) -> Result<(), StoreError>;

    /// Removes some; those that are not there are passed over.
    async fn remove(&self, digests: &[Digest]) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_digest_and_shows_nothing_of_itself() {
        let token = Token::random();
        assert_eq!(token.reveal().len(), PREFIX.len() + 43);
        assert_eq!(token.reveal().parse::<Token>().unwrap().digest(), token.digest());
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_ne!(token, Token::random());
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        let long = format!("mogbox_{}", "A".repeat(1 << 20));
        for text in ["", "secret", "mogbox_", "mogbox_short", long.as_str(), &format!("mogbox_{}!", "A".repeat(42))] {
            let error = text.parse::<Token>().unwrap_err().to_string();
            assert!(error.starts_with("invalid token: expected mogbox_"), "{error}");
        }
    }
}
