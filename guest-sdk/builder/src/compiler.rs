//! Which compiler makes WebAssembly on this machine: an installed target of the toolchain in use, else a compiler that has the
//! sources of its standard library, such as Debian's.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment;
use crate::error::BuildError;

/// Gives a component by itself.
const WASI: &str = "wasm32-wasip2";
/// Gives a core module, which is then wrapped.
const BARE: &str = "wasm32-unknown-unknown";
/// Where Debian puts its compiler, beside a toolchain of rustup's that comes first in the path.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
/// The folder of LLVM's linker for WebAssembly, by Debian's packages `lld-N`.
const LLVM_FOLDER: &str = "/usr/lib";

/// A way to compile to WebAssembly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// The toolchain in use has this target's standard library.
    Installed { target: &'static str },
    /// This compiler builds its standard library first.
    FromSource { rustc: OsString, linker: Option<PathBuf> },
}

/// What a compiler says of itself.
struct Rustc {
    program: OsString,
    sysroot: PathBuf,
    host: String,
}

/// Finds a compiler, as the toolchain files of `folder` choose.
pub(crate) fn find(folder: Option<&Path>) -> Result<Compiler, BuildError> {
    let default = Rustc::ask("rustc".into(), folder);
    if let Some(target) = default.as_ref().and_then(|rustc| [WASI, BARE].into_iter().find(|target| rustc.has_target(target))) {
        return Ok(Compiler::Installed { target });
    }
    let system = Rustc::ask(SYSTEM_RUSTC.into(), folder);
    let mut known = default.iter().chain(&system);
    match known.find(|rustc| rustc.has_sources()) {
        Some(rustc) => Ok(Compiler::FromSource { rustc: rustc.program.clone(), linker: find_linker(default.as_ref(), rustc)? }),
        None => Err(BuildError::NoCompiler { found: explain(default.as_ref()) }),
    }
}

fn explain(default: Option<&Rustc>) -> String {
    match default {
        Some(rustc) => format!("the toolchain in {} has neither {WASI} nor {BARE}", rustc.sysroot.display()),
        None => "rustc is not installed".to_owned(),
    }
}

impl Rustc {
    fn ask(program: OsString, folder: Option<&Path>) -> Option<Self> {
        let ask = |what: &str| printed(environment::clean(&program, folder).args(["--print", what]));
        let (sysroot, host) = (ask("sysroot")?, ask("host-tuple")?);
        Some(Self { sysroot: sysroot.into(), host, program })
    }

    fn has_target(&self, target: &str) -> bool {
        let folder = self.rustlib().join(target).join("lib");
        let is_std = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
        std::fs::read_dir(folder)
            .is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| file.file_name().to_str().is_some_and(is_std))))
    }

    fn has_sources(&self) -> bool {
        self.rustlib().join("src/rust/library/std/Cargo.toml").is_file()
    }

    fn own_linker(&self) -> PathBuf {
        self.rustlib().join(&self.host).join("bin/rust-lld")
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }
}

/// The linker to name to a compiler that has none of its own.
fn find_linker(default: Option<&Rustc>, rustc: &Rustc) -> Result<Option<PathBuf>, BuildError> {
    if rustc.own_linker().is_file() {
        return Ok(None);
    }
    let borrowed = default.map(Rustc::own_linker).filter(|linker| linker.is_file());
    let found = borrowed.or_else(|| search_path("wasm-ld")).or_else(newest_llvm);
    found.map(Some).ok_or_else(|| BuildError::NoCompiler { found: "a compiler, but no linker: `apt-get install lld`".to_owned() })
}

fn search_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn newest_llvm() -> Option<PathBuf> {
    let folders = std::fs::read_dir(LLVM_FOLDER).ok()?.filter_map(Result::ok).map(|folder| folder.path());
    folders.filter(|path| path.to_string_lossy().contains("llvm-")).map(|path| path.join("bin/wasm-ld")).filter(|file| file.is_file()).max()
}

fn printed(command: &mut Command) -> Option<String> {
    let answer = command.output().ok().filter(|answer| answer.status.success())?;
    Some(String::from_utf8(answer.stdout).ok()?.trim().to_owned())
}

impl Compiler {
    /// The target to compile for.
    pub(crate) fn target(&self) -> &'static str {
        match self {
            Self::Installed { target } => target,
            Self::FromSource { .. } => BARE,
        }
    }

    /// Makes a call of `cargo build` use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.arg("--target").arg(self.target());
        if let Self::FromSource { rustc, linker } = self {
            // Building the standard library is open to stable compilers only this way.
            cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc);
            if let Some(linker) = linker {
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            }
        }
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed { target } => write!(f, "rustc for {target}"),
            Self::FromSource { rustc, .. } => {
                write!(f, "{} for {BARE}, standard library from source (the first build takes a minute)", rustc.to_string_lossy())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rustc(sysroot: &Path) -> Rustc {
        Rustc { program: "rustc".into(), sysroot: sysroot.to_owned(), host: "some-host".into() }
    }

    fn touch(file: &Path) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }

    #[test]
    fn a_target_counts_only_with_its_standard_library() {
        let sysroot = tempfile::tempdir().unwrap();
        let library = sysroot.path().join("lib/rustlib/wasm32-wasip2/lib");
        touch(&library.join("self-contained"));
        assert!(!rustc(sysroot.path()).has_target(WASI));
        touch(&library.join("libstd-0123.rlib"));
        assert!(rustc(sysroot.path()).has_target(WASI));
        assert!(!rustc(sysroot.path()).has_target(BARE));
    }

    #[test]
    fn a_compiler_without_a_linker_borrows_that_of_the_toolchain_in_use() {
        let (ours, debian) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (default, system) = (rustc(ours.path()), rustc(debian.path()));
        touch(&default.own_linker());
        assert_eq!(find_linker(Some(&default), &system).unwrap(), Some(default.own_linker()));
        touch(&system.own_linker());
        assert_eq!(find_linker(Some(&default), &system).unwrap(), None);
    }

    #[test]
    fn without_a_compiler_the_error_says_what_to_install() {
        let sysroot = tempfile::tempdir().unwrap();
        let text = BuildError::NoCompiler { found: explain(Some(&rustc(sysroot.path()))) }.to_string();
        assert!(text.contains("rustup target add wasm32-wasip2"), "{text}");
        assert!(text.contains("apt-get install rustc-web rust-web-src"), "{text}");
    }
}
