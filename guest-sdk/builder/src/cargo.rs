//! One call of `cargo build` for all guests: starts it, passes on what it says, and gathers the files it made.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde::Deserialize;

use crate::Progress;
use crate::compiler::Compiler;
use crate::environment;
use crate::error::BuildError;
use crate::guests::Guest;

/// The release profile of guests, whatever their manifest says: small, as every attempt instantiates it anew, with the names of
/// functions kept for backtraces. They never unwind, so a panic ends the attempt.
const PROFILE: [(&str, &str); 6] =
    [("OPT_LEVEL", "s"), ("LTO", "true"), ("CODEGEN_UNITS", "1"), ("PANIC", "abort"), ("DEBUG", "false"), ("STRIP", "debuginfo")];

/// Lines of cargo's that an error shows, at most.
const SHOWN_LINES: usize = 200;

/// What one guest was compiled to.
pub(crate) struct Artifact {
    pub(crate) package: String,
    pub(crate) wasm: PathBuf,
}

/// A line that cargo wrote.
enum Line {
    Message(String),
    Text(String),
}

/// A message of cargo's, of which only finished artifacts matter.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

/// Builds the packages and names the file of each.
pub(crate) fn build(
    manifest: &Path,
    packages: &[Guest],
    target_dir: &Path,
    compiler: &Compiler,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Artifact>, BuildError> {
    let mut command = command(manifest, packages, target_dir, compiler)?;
    let mut child = command.spawn().map_err(BuildError::io("start cargo"))?;
    let (mut messages, mut said) = (Vec::new(), Vec::new());
    for line in lines(&mut child) {
        match line {
            Line::Message(message) => messages.push(message),
            Line::Text(text) => {
                said.push(text.clone());
                progress(Progress::Cargo(text));
            }
        }
    }
    let status = child.wait().map_err(BuildError::io("wait for cargo"))?;
    if !status.success() {
        let shown = said.len().saturating_sub(SHOWN_LINES);
        return Err(BuildError::Compile { output: said.split_off(shown).join("\n") });
    }
    packages.iter().map(|guest| artifact(guest, &messages)).collect()
}

fn command(manifest: &Path, packages: &[Guest], target_dir: &Path, compiler: &Compiler) -> Result<Command, BuildError> {
    let target_dir = std::path::absolute(target_dir).map_err(BuildError::io(format!("find {}", target_dir.display())))?;
    let mut cargo = environment::cargo(manifest.parent());
    cargo.args(["build", "--lib", "--release", "--message-format=json-render-diagnostics", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(target_dir);
    compiler.apply(&mut cargo);
    for guest in packages {
        cargo.args(["--package", &guest.package]);
    }
    for (key, value) in PROFILE {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(cargo)
}

/// Lines of both streams as they come; ends when cargo has closed both.
fn lines(child: &mut Child) -> impl Iterator<Item = Line> + use<> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, Line::Message, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, Line::Text, sender);
    }
    receiver.into_iter()
}

fn forward(stream: impl Read + Send + 'static, line: fn(String) -> Line, sender: Sender<Line>) {
    thread::spawn(move || {
        for text in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if sender.send(line(String::from_utf8_lossy(&text).into_owned())).is_err() {
                break;
            }
        }
    });
}

fn artifact(guest: &Guest, messages: &[String]) -> Result<Artifact, BuildError> {
    let parsed = messages.iter().filter_map(|message| serde_json::from_str::<Message>(message).ok());
    let made = parsed.filter(|message| message.is_guest(&guest.manifest)).flat_map(|message| message.filenames);
    let wasm = made.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    let package = guest.package.clone();
    match wasm {
        Some(wasm) => Ok(Artifact { package, wasm }),
        None => Err(BuildError::NoComponent { package, message: "cargo made no .wasm file of it".to_owned() }),
    }
}

impl Message {
    fn is_guest(&self, manifest: &Path) -> bool {
        let is_cdylib = self.target.as_ref().is_some_and(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
        self.reason == "compiler-artifact" && self.manifest_path == manifest && is_cdylib
    }
}
