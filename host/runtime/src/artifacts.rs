//! Compiled modules on disk, so that a restart compiles nothing again. A file is loaded only where its seal says that this folder's
//! key made it, of this module and for this engine; anything else is compiled again and never an error. Knows no store and no guest.

mod seal;

use std::fs::{self, File, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mogbox_core::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use self::seal::Seal;

/// What the files are named.
const EXTENSION: &str = "artifact";
const UNFINISHED: &str = "unfinished-";

/// An unfinished file that is older was left by a node that died.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// A folder of compiled modules. Every call blocks.
pub(crate) struct Artifacts {
    folder: PathBuf,
    /// The engine's version, features and settings, as far as compiled code depends on them.
    fingerprint: u64,
    seal: Seal,
    max_bytes: u64,
}

impl Artifacts {
    /// Opens the folder, which becomes this user's alone, and makes its key where there is none.
    ///
    /// # Errors
    /// Where the folder cannot be made, is somebody else's, or takes no files.
    pub(crate) fn open(engine: &Engine, folder: &Path, max_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let seal = Seal::open(folder)?;
        let artifacts = Self { folder: folder.to_owned(), fingerprint: hasher.finish(), seal, max_bytes };
        artifacts.tidy()?;
        Ok(artifacts)
    }

    /// The module as it was compiled earlier, where that was kept.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let name = self.name(digest);
        let path = self.folder.join(&name);
        let mut file = File::open(&path).ok()?;
        match self.check(&mut file, &name).and_then(|()| map(engine, &file)) {
            Ok(component) => {
                // The least recently used go first; where this cannot be told, the oldest do.
                drop(file.set_modified(SystemTime::now()));
                Some(component)
            }
            Err(reason) => {
                tracing::warn!(file = %path.display(), reason, "a compiled module is not used; it is compiled again");
                drop(fs::remove_file(&path));
                None
            }
        }
    }

    /// Keeps a compiled module. Where that fails it is compiled again after a restart, and nothing else.
    pub(crate) fn store(&self, digest: &Digest, component: &Component) {
        if let Err(error) = self.write(&self.name(digest), component).and_then(|()| self.tidy()) {
            tracing::warn!(%digest, %error, "a compiled module is not kept");
        }
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{digest}-{:016x}.{EXTENSION}", self.fingerprint).replace(':', "-")
    }

    /// Reads every byte through the open file that is mapped afterwards, so that another file under its name changes nothing.
    fn check(&self, file: &mut File, name: &str) -> Result<(), String> {
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let code = length.checked_sub(seal::SIZE as u64).ok_or("it is too short")?;
        file.rewind().map_err(|error| error.to_string())?;
        let made = self.seal.of(name, (&mut *file).take(code)).map_err(|error| error.to_string())?;
        let mut found = [0; seal::SIZE];
        file.read_exact(&mut found).map_err(|error| error.to_string())?;
        made.verify(&found).map_err(|()| "its seal is not of this folder's key".to_owned())
    }

    fn write(&self, name: &str, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
        if code.len() as u64 > self.max_bytes {
            return Ok(());
        }
        let made = self.seal.of(name, code.as_slice())?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        file.write_all(&code)?;
        file.write_all(&made.bytes())?;
        file.persist(self.folder.join(name))?;
        Ok(())
    }

    /// Removes what nodes that died did not finish, and the least recently used files beyond the bound.
    fn tidy(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let (path, metadata) = match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
                Ok(found) => found,
                // Another node removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let used = metadata.modified()?;
            let unfinished = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED));
            if unfinished && used.elapsed().is_ok_and(|age| age > ABANDONED) {
                drop(fs::remove_file(&path));
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
                kept.push((used, metadata.len(), path));
            }
        }
        kept.sort();
        let mut bytes: u64 = kept.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in kept {
            if bytes <= self.max_bytes {
                break;
            }
            drop(fs::remove_file(path));
            bytes = bytes.saturating_sub(size);
        }
        Ok(())
    }
}

/// A module that the node sent to this process, which runs attempts for it.
#[allow(unsafe_code, reason = "the engine has no other way to load what was compiled elsewhere")]
pub(crate) fn load_from_node(engine: &Engine, code: &[u8]) -> Result<Component, String> {
    // SAFETY: the bytes were serialized by the node, of a module that it loaded itself; they came over a socket that this process was
    // started with and that only the node has the other end of. A node that lies could have started any other program instead.
    unsafe { Component::deserialize(engine, code) }.map_err(|error| format!("{error:#}"))
}

/// The path of the open file is that of the file itself, whatever has its name by now.
#[allow(unsafe_code, reason = "the engine has no other way to load what it compiled earlier")]
fn map(engine: &Engine, file: &File) -> Result<Component, String> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the bytes were sealed with a key of this user's by the function above that serializes components, and the seal was
    // checked on this very file. What remains is that the same user writes into the file while it is mapped, who could as well write
    // into this process.
    unsafe { Component::deserialize_file(engine, path) }.map_err(|error| format!("{error:#}"))
}
