//! Seals secrets with XChaCha20-Poly1305 under a key of the operator's, bound to tenant and name: what is moved elsewhere does not open.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ConfigError, MAX_VALUE, check_entry};
use crate::ids::Tenant;

/// Bytes of a key, of a nonce, and of the tag at the end.
const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// What is sealed with this key, and nothing else.
const PURPOSE: &str = "mogbox secret 1";

/// A text that is no key. It is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key for secrets: expected 32 random bytes in base64, as `openssl rand -base64 32` writes them")]
pub struct InvalidSecretKey;

/// The key that seals secrets. Shown to nobody, and gone from memory once it is dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY]>);

impl SecretKey {
    /// A new key.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// The key as a file holds it.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// Seals a secret for a tenant under a name.
    ///
    /// # Errors
    /// Where the name is malformed, or the secret too large.
    pub fn seal(&self, tenant: &Tenant, name: &str, secret: &str) -> Result<Sealed, ConfigError> {
        check_entry(name, secret.len())?;
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret.as_bytes(), aad: &bound_to(tenant, name) };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| ConfigError::Unreadable(name.to_owned()))?;
        Ok(Sealed(STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens what was sealed for this tenant under this name.
    pub(super) fn open(&self, tenant: &Tenant, name: &str, sealed: &Sealed) -> Result<Zeroizing<String>, ConfigError> {
        let unreadable = || ConfigError::Unreadable(name.to_owned());
        let bytes = STANDARD.decode(&sealed.0).map_err(|_| unreadable())?;
        let (nonce, content) = bytes.split_first_chunk::<NONCE>().ok_or_else(unreadable)?;
        let payload = Payload { msg: content, aad: &bound_to(tenant, name) };
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| unreadable())?;
        // Text was sealed, so that nothing is copied here as a rule.
        String::from_utf8(opened).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            unreadable()
        })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl FromStr for SecretKey {
    type Err = InvalidSecretKey;

    fn from_str(text: &str) -> Result<Self, InvalidSecretKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| InvalidSecretKey)?);
        let key = <[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| InvalidSecretKey)?;
        Ok(Self(Zeroizing::new(key)))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// What the seal covers beside the secret. No tenant and no name holds a NUL.
fn bound_to(tenant: &Tenant, name: &str) -> Vec<u8> {
    format!("{PURPOSE}\0{tenant}\0{name}").into_bytes()
}

/// A sealed secret: nonce and ciphertext in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl Sealed {
    /// Bytes of the secret; of none that could be opened where it is malformed.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.0.len() > (MAX_VALUE + NONCE + TAG + 3) / 3 * 4 {
            usize::MAX
        } else {
            (self.0.len() / 4 * 3).saturating_sub(NONCE + TAG + 2)
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_tenant_under_its_name_with_its_key_and_not_otherwise() {
        let (key, ours, theirs) = (SecretKey::random(), tenant("ours"), tenant("theirs"));
        let sealed = key.seal(&ours, "token", "hunter2 🔑").unwrap();
        assert_eq!(*key.open(&ours, "token", &sealed).unwrap(), "hunter2 🔑");
        let unreadable = |name: &str| Err(ConfigError::Unreadable(name.into()));
        assert_eq!(key.open(&theirs, "token", &sealed).map(drop), unreadable("token"));
        assert_eq!(key.open(&ours, "other", &sealed).map(drop), unreadable("other"));
        assert_eq!(SecretKey::random().open(&ours, "token", &sealed).map(drop), unreadable("token"));
        assert_ne!(key.seal(&ours, "token", "hunter2 🔑").unwrap(), sealed, "each has a nonce of its own");
    }

    #[test]
    fn what_was_changed_in_any_byte_does_not_open() {
        let (key, ours) = (SecretKey::random(), tenant("ours"));
        let bytes = STANDARD.decode(key.seal(&ours, "n", "abc").unwrap().0).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(key.open(&ours, "n", &Sealed(STANDARD.encode(changed))).is_err(), "byte {at}");
        }
        for malformed in ["", "AAAA", "no base64!"] {
            assert!(key.open(&ours, "n", &Sealed(malformed.into())).is_err(), "{malformed}");
        }
    }

    #[test]
    fn a_key_is_read_again_as_it_was_written_and_never_shown() {
        let key = SecretKey::random();
        let text = key.to_text();
        assert_eq!(format!("{text}\n", text = *text).parse::<SecretKey>().unwrap().0, key.0);
        assert_eq!(format!("{key:?}"), "SecretKey");
        for malformed in ["", "c2hvcnQ=", "not base64", &STANDARD.encode([0; 33])] {
            let error = malformed.parse::<SecretKey>().unwrap_err().to_string();
            assert!(error.contains("openssl rand -base64 32") && (malformed.is_empty() || !error.contains(malformed)), "{error}");
        }
    }

    #[test]
    fn the_size_of_a_sealed_secret_is_that_of_the_secret() {
        let (key, ours) = (SecretKey::random(), tenant("ours"));
        let largest = key.seal(&ours, "n", &"x".repeat(MAX_VALUE)).unwrap();
        assert!((MAX_VALUE - 2..=MAX_VALUE).contains(&largest.size()), "{}", largest.size());
        assert!(matches!(key.seal(&ours, "n", &"x".repeat(MAX_VALUE + 1)), Err(ConfigError::TooLarge { .. })));
        assert_eq!(Sealed("A".repeat(1 << 20)).size(), usize::MAX);
    }
}
