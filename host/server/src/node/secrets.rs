//! The key that seals the secrets of tenants: a file of the operator's, or one that the node makes beside its data.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use mogbox_core::config::SecretKey;
use zeroize::Zeroizing;

use super::{Backend, NodeSettings};

/// The name of the file in the data folder.
const FILE: &str = "secret-key";

/// The key, where there is one. Nodes that share a Redis need the same, which only their operator can give them.
pub(super) fn secret_key(settings: &NodeSettings) -> anyhow::Result<Option<SecretKey>> {
    match (&settings.secret_key, &settings.backend) {
        (Some(file), _) => read(file).map(Some),
        (None, Backend::Embedded(folder)) => read_or_make(folder).map(Some),
        (None, Backend::Redis(_) | Backend::RabbitMq(_)) => Ok(None),
    }
}

fn read_or_make(folder: &Path) -> anyhow::Result<SecretKey> {
    let file = folder.join(FILE);
    let key = SecretKey::random();
    let cannot = || format!("cannot write the key for secrets to {}", file.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    // Written whole under another name first: a node that dies meanwhile leaves no half a key.
    let mut fresh = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder).with_context(cannot)?;
    if file.exists() {
        return read(&file);
    }
    writeln!(fresh, "{}", *key.to_text()).and_then(|()| fresh.as_file().sync_all()).with_context(cannot)?;
    match fresh.persist_noclobber(&file) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => read(&file),
        Err(error) => Err(error.error).with_context(cannot),
    }
}

fn read(file: &Path) -> anyhow::Result<SecretKey> {
    let cannot = || format!("cannot read the key for secrets in {}", file.display());
    let text = Zeroizing::new(fs::read_to_string(file).with_context(cannot)?);
    let mode = fs::metadata(file).with_context(cannot)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(file = %file.display(), "others than this user can read the key for secrets: `chmod 600` keeps it to itself");
    }
    text.parse().with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_this_user_alone_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let made = read_or_make(&data).unwrap().to_text();
        assert_eq!(read_or_make(&data).unwrap().to_text(), made);
        assert_eq!(fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        assert!(format!("{:#}", read(&file).unwrap_err()).contains(file.to_str().unwrap()));
        fs::write(&file, "hunter2").unwrap();
        let error = format!("{:#}", read(&file).unwrap_err());
        assert!(error.contains(file.to_str().unwrap()) && error.contains("openssl rand") && !error.contains("hunter2"), "{error}");
    }
}
