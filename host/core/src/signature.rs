//! Signatures of modules in minisign's formats: which keys a tenant asks for, and whether one of them signed these bytes. Pure checks;
//! knows neither where keys are kept nor how a signature travels.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Bytes of a signature's text. Minisign's own comments need less than a twentieth.
pub const MAX_SIGNATURE: usize = 8 << 10;

/// Bytes of a public key's text, with the comment that minisign writes above it.
const MAX_KEY: usize = 1 << 10;

/// What minisign writes above a key.
const COMMENT: &str = "untrusted comment:";

/// Bytes of the name of an algorithm, before a key's id.
const ALGORITHM: usize = 2;

/// Which key: the 16 hexadecimal digits that minisign shows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

impl KeyId {
    /// The id in what base64 text of a key or signature encodes: an algorithm, then the id.
    fn within(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let id = bytes.get(ALGORITHM..)?.first_chunk()?;
        Some(Self(u64::from_le_bytes(*id)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        id.map(Self).ok_or_else(|| Malformed::new("key id", text, "16 hexadecimal digits, as minisign shows them"))
    }
}

impl TryFrom<String> for KeyId {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// Text that is no key, key id or signature, with what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {shown:?}: expected {expected}")]
pub struct Malformed {
    what: &'static str,
    shown: String,
    expected: &'static str,
}

impl Malformed {
    fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        Self { what, shown: text.chars().take(80).collect(), expected }
    }
}

/// A public key of minisign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    text: String,
    id: KeyId,
    key: minisign_verify::PublicKey,
}

impl PublicKey {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl FromStr for PublicKey {
    type Err = Malformed;

    /// Reads the line that `minisign -G` prints, or all of a `minisign.pub` file.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let invalid = || Malformed::new("public key", text, "the line of a minisign.pub file that begins with RW");
        if text.len() > MAX_KEY {
            return Err(invalid());
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(COMMENT));
        let line = lines.next().filter(|_| lines.next().is_none()).ok_or_else(invalid)?;
        let key = minisign_verify::PublicKey::from_base64(line).map_err(|_| invalid())?;
        Ok(Self { text: line.to_owned(), id: KeyId::within(line).ok_or_else(invalid)?, key })
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.text
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A signature of minisign; whose and of what is not checked yet.
#[derive(Clone)]
pub struct Signature {
    key: KeyId,
    signature: minisign_verify::Signature,
}

impl Signature {
    /// The key that it says it is by.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }
}

impl FromStr for Signature {
    type Err = Malformed;

    /// Reads the text of a `.minisig` file.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let invalid = || Malformed::new("signature", text, "the text of a .minisig file as `minisign -S` writes it, at most 8192 bytes");
        if text.len() > MAX_SIGNATURE {
            return Err(invalid());
        }
        let key = text.lines().nth(1).and_then(KeyId::within).ok_or_else(invalid)?;
        let signature = minisign_verify::Signature::decode(text).map_err(|_| invalid())?;
        Ok(Self { key, signature })
    }
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is by a key that nobody asked for.
    #[error("the signature is by key {found}: one by {required} is required")]
    OtherKey {
        /// The key that it is by.
        found: KeyId,
        /// Those that are required.
        required: Required,
    },
    /// It names a required key and is not one of these bytes by it.
    #[error("the signature names key {0} and is not by it, or not of these bytes: sign these very bytes; one by {1} is required")]
    Wrong(KeyId, Required),
    /// It signs the bytes themselves, as minisign did long ago, not their hash.
    #[error("the signature by key {0} is of minisign's old kind: sign again with minisign 0.10 or newer, without -l")]
    Legacy(KeyId),
}

/// The keys of which one has to sign, as a message names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required(Vec<KeyId>);

impl Required {
    /// The ids of these keys.
    #[must_use]
    pub fn of(keys: &[PublicKey]) -> Self {
        Self(keys.iter().map(PublicKey::id).collect())
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("no key"),
            [one] => write!(f, "key {one}"),
            [first, more @ ..] => {
                write!(f, "one of the keys {first}")?;
                more.iter().try_for_each(|id| write!(f, ", {id}"))
            }
        }
    }
}

/// Checks that one of these keys signed these bytes, and tells which.
///
/// # Errors
/// Where none did: the error names the key of the signature, and those that are required.
pub fn verify(bytes: &[u8], keys: &[PublicKey], signature: &Signature) -> Result<KeyId, SignatureError> {
    let found = signature.key;
    let mut named = keys.iter().filter(|key| key.id == found).peekable();
    if named.peek().is_none() {
        return Err(SignatureError::OtherKey { found, required: Required::of(keys) });
    }
    // An id is no more than a hint: nothing keeps two keys from having the same.
    let mut refusal = SignatureError::Wrong(found, Required::of(keys));
    for key in named {
        match key.key.verify(bytes, &signature.signature, false) {
            Ok(()) => return Ok(found),
            Err(minisign_verify::Error::UnexpectedAlgorithm) => refusal = SignatureError::Legacy(found),
            Err(_) => {}
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::{KeyPair, sign};
    use std::io::Cursor;

    fn keys() -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = pair.pk.to_base64().parse().unwrap();
        (pair, key)
    }

    fn signed(pair: &KeyPair, bytes: &[u8]) -> String {
        sign(None, &pair.sk, Cursor::new(bytes), Some("when and what"), None).unwrap().into_string()
    }

    #[test]
    fn a_signature_by_one_of_the_keys_is_found_whichever_it_is() {
        let ((_, first), (pair, second)) = (keys(), keys());
        let signature: Signature = signed(&pair, b"module").parse().unwrap();
        assert_eq!(verify(b"module", &[first.clone(), second.clone()], &signature), Ok(second.id()));
        assert_eq!(signature.key(), second.id());
        let refused = verify(b"module", std::slice::from_ref(&first), &signature).unwrap_err();
        let expected = format!("the signature is by key {}: one by key {} is required", second.id(), first.id());
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn a_signature_of_other_bytes_or_by_a_key_that_took_the_name_is_refused() {
        let ((pair, key), (_, other)) = (keys(), keys());
        let signature: Signature = signed(&pair, b"module").parse().unwrap();
        let refused = verify(b"modulf", &[key.clone(), other.clone()], &signature).unwrap_err().to_string();
        assert!(refused.contains(&format!("one of the keys {}, {} is required", key.id(), other.id())), "{refused}");
        let mut bytes = STANDARD.decode(key.to_string()).unwrap();
        bytes[12] ^= 1;
        let namesake: PublicKey = STANDARD.encode(bytes).parse().unwrap();
        assert_eq!(namesake.id(), key.id());
        assert!(
            matches!(verify(b"module", std::slice::from_ref(&namesake), &signature), Err(SignatureError::Wrong(id, _)) if id == key.id())
        );
        assert_eq!(verify(b"module", &[namesake, key.clone()], &signature), Ok(key.id()));
    }

    #[test]
    fn the_trusted_comment_is_part_of_what_is_signed() {
        let (pair, key) = keys();
        let changed = signed(&pair, b"module").replace("when and what", "when and whom");
        assert!(verify(b"module", &[key], &changed.parse().unwrap()).is_err());
    }

    #[test]
    fn ids_are_those_that_minisign_shows() {
        // The example of minisign's own manual.
        let key: PublicKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".parse().unwrap();
        assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
        assert_eq!("e7620f1842b4e81f".parse(), Ok(key.id()));
        let file = format!("untrusted comment: minisign public key {}\n{key}\n", key.id());
        assert_eq!(file.parse(), Ok(key.clone()));
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
    }

    #[test]
    fn a_signature_of_the_old_kind_is_refused_with_the_way_out() {
        let (pair, key) = keys();
        let text = signed(&pair, b"module");
        // The old kind differs in its name, `Ed` for `ED`: whether it holds does not matter where none is taken.
        let line = text.lines().nth(1).unwrap();
        let mut bytes = STANDARD.decode(line).unwrap();
        bytes[1] = b'd';
        let old: Signature = text.replace(line, &STANDARD.encode(bytes)).parse().unwrap();
        assert_eq!(verify(b"module", std::slice::from_ref(&key), &old), Err(SignatureError::Legacy(key.id())));
    }

    #[test]
    fn what_is_no_key_or_signature_is_refused_whatever_its_size() {
        let (pair, key) = keys();
        let whole = signed(&pair, b"module");
        for length in 0..whole.trim_end().len() - 88 {
            assert!(whole.get(..length).is_none_or(|cut| cut.parse::<Signature>().is_err()), "{length}");
        }
        let long = whole.replace("when and what", &"x".repeat(MAX_SIGNATURE));
        assert!(long.parse::<Signature>().err().unwrap().to_string().contains("at most 8192 bytes"));
        for bad in ["", "RW", "untrusted comment: x", &format!("{key}\n{key}"), &"R".repeat(100_000)] {
            let error = bad.parse::<PublicKey>().unwrap_err().to_string();
            assert!(error.len() < 300 && error.contains("minisign.pub"), "{error}");
        }
        for bad in ["", "E7620F1842B4E81", "+7620F1842B4E81F", "E7620F1842B4E81FF"] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad}");
        }
    }
}
