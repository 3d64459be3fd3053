//! The seal of a file: a keyed hash over its name and content, with a key that lies in the same folder and that nobody else reads.

use std::fs;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a seal.
pub(super) const SIZE: usize = 32;

/// Bytes of a key.
const KEY_SIZE: usize = 32;

/// The name of the file that holds the key.
const KEY_FILE: &str = "key";

/// What is sealed with this key, and nothing else.
const PURPOSE: &[u8] = b"mogbox compiled module 1\0";

/// Bytes read at once.
const BLOCK: usize = 64 << 10;

/// Makes seals with one key.
pub(super) struct Seal(Hmac<Sha256>);

/// A seal that was made of something.
pub(super) struct Made(Hmac<Sha256>);

impl Seal {
    /// With the key of a folder, which is made where there is none. One that others could read is replaced: all that it sealed is
    /// compiled again.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(KEY_FILE);
        let key = match read(&path)? {
            Some(key) => key,
            None => make(folder, &path)?,
        };
        Hmac::new_from_slice(&key).map(Self).map_err(io::Error::other)
    }

    /// The seal of content under a name.
    pub(super) fn of(&self, name: &str, mut content: impl Read) -> io::Result<Made> {
        let mut hash = self.0.clone();
        hash.update(PURPOSE);
        hash.update(name.as_bytes());
        hash.update(b"\0");
        let mut block = vec![0; BLOCK];
        loop {
            match content.read(&mut block)? {
                0 => return Ok(Made(hash)),
                read => hash.update(block.get(..read).unwrap_or_default()),
            }
        }
    }
}

impl Made {
    pub(super) fn bytes(self) -> [u8; SIZE] {
        self.0.finalize().into_bytes().into()
    }

    /// In the same time wherever they differ.
    pub(super) fn verify(self, found: &[u8; SIZE]) -> Result<(), ()> {
        self.0.verify_slice(found).map_err(|_| ())
    }
}

/// The key, where there is one that only this user could read.
fn read(path: &Path) -> io::Result<Option<[u8; KEY_SIZE]>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if metadata.permissions().mode() & 0o077 != 0 || metadata.len() != KEY_SIZE as u64 {
        tracing::warn!(file = %path.display(), "the key is replaced: others could read it, or it is damaged");
        fs::remove_file(path)?;
        return Ok(None);
    }
    Ok(fs::read(path)?.try_into().ok())
}

/// Of nodes that start at the same time, one makes the key.
fn make(folder: &Path, path: &Path) -> io::Result<[u8; KEY_SIZE]> {
    let key: [u8; KEY_SIZE] = rand::random();
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&key)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| io::Error::other(format!("{} is replaced all the time", path.display())))
        }
        Err(error) => Err(error.error),
    }
}
