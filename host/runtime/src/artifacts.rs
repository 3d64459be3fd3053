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
use tempfile::NamedTempFile;
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

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

    /// Keeps what was compiled in this process. Where that fails it is compiled again after a restart, and nothing else.
    pub(crate) fn store(&self, digest: &Digest, component: &Component) {
        warn_of(digest, self.write(digest, component));
    }

    /// A file in the folder, for a compiler to write into. It goes unless it is kept.
    pub(crate) fn unfinished(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)
    }

    /// Keeps a file from [`Self::unfinished`] that was loaded as this module. It may be in use meanwhile: its seal comes after the code.
    pub(crate) fn keep(&self, digest: &Digest, file: NamedTempFile) {
        warn_of(digest, self.finish(digest, file));
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

    fn write(&self, digest: &Digest, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
        let mut file = self.unfinished()?;
        file.write_all(&code)?;
        self.finish(digest, file)
    }

    fn finish(&self, digest: &Digest, mut file: NamedTempFile) -> io::Result<()> {
        if file.as_file().metadata()?.len() > self.max_bytes {
            return Ok(());
        }
        let name = self.name(digest);
        file.rewind()?;
        let made = self.seal.of(&name, file.as_file())?;
        file.write_all(&made.bytes())?;
        file.persist(self.folder.join(name))?;
        self.tidy()
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

fn warn_of(digest: &Digest, kept: io::Result<()>) {
    if let Err(error) = kept {
        tracing::warn!(%digest, %error, "a compiled module is not kept");
    }
}

/// A file in memory, for a compiler to write into where no folder keeps what it makes.
#[cfg(target_os = "linux")]
pub(crate) fn in_memory() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("module", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

/// A file without a name, for want of such files.
#[cfg(not(target_os = "linux"))]
pub(crate) fn in_memory() -> io::Result<File> {
    tempfile::tempfile()
}

/// Why what a compiler wrote is not loaded.
pub(crate) enum NotLoadable {
    /// It is a compiled component that asks for more than the engine has for one.
    TooMuch(String),
    /// It is none.
    Garbage(String),
}

/// What this process's compiler has just written into a file that was made for it.
pub(crate) fn load_new(engine: &Engine, file: &File) -> Result<Component, NotLoadable> {
    map(engine, file).map_err(|error| match Engine::detect_precompiled_file(path(file)) {
        Ok(Some(Precompiled::Component)) => NotLoadable::TooMuch(error),
        _ => NotLoadable::Garbage(error),
    })
}

/// A module that the node sent to this process, which runs attempts for it.
#[allow(unsafe_code, reason = "the engine has no other way to load what was compiled elsewhere")]
pub(crate) fn load_from_node(engine: &Engine, code: &[u8]) -> Result<Component, String> {
    // SAFETY: the bytes were serialized by the node, of a module that it loaded itself; they came over a socket that this process was
    // started with and that only the node has the other end of. A node that lies could have started any other program instead.
    unsafe { Component::deserialize(engine, code) }.map_err(|error| format!("{error:#}"))
}

/// The path of the open file is that of the file itself, whatever has its name by now.
fn path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[allow(unsafe_code, reason = "the engine has no other way to load what was compiled earlier, or elsewhere")]
fn map(engine: &Engine, file: &File) -> Result<Component, String> {
    // SAFETY: either the bytes were sealed with a key of this user's by the functions above that keep components, and the seal was
    // checked on this very file; or a compiler wrote them that this process started, of the same source, which has ended since and which
    // alone had the file. A component that took the compiler over could write any code here, where it would run as this process: that is
    // why the compiler's own process has nothing else to attack, and there is no way to check machine code. What remains is that the same
    // user writes into the file while it is mapped, who could as well write into this process.
    unsafe { Component::deserialize_file(engine, path(file)) }.map_err(|error| format!("{error:#}"))
}
