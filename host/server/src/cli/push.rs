//! `mogbox push`: uploads a component, from a file or a registry, and tells what it serves.

use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mogbox_core::module::TaskDescription;
use mogbox_core::signature::{MAX_SIGNATURE, Signature};
use mogbox_core::{Bound, Digest, Entries};
use serde::Deserialize;

use super::Common;
use super::client::module_path;
use super::output::{Output, size};
use super::registry::{RegistryArgs, fetch};
use crate::api::types::{DryRun, ModuleSummary};
use crate::escape::escape;
use crate::registry::{Location, SCHEME};

/// Upload a component, from a file or a registry, and make it the active version of its module.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox push examples/add/target/mogbox/example-add.wasm
  mogbox push build/task.wasm --name add      the module is named add, not task
  mogbox push build/task.wasm --dry-run       what the node finds in it; nothing changes
  mogbox push add.wasm                        with add.wasm.minisig, where that is beside it
  mogbox push oci://ghcr.io/owner/add:1.0     from a registry, see `mogbox publish`
  mogbox push oci://ghcr.io/owner/add@sha256:… --signature add.wasm.minisig

Pushing again under the same name replaces the active version; `mogbox modules roll-back NAME` goes back.")]
pub(super) struct Push {
    /// The component: a .wasm file as `mogbox build` makes it, or a place in an OCI registry.
    #[arg(value_name = "FILE|oci://HOST/REPOSITORY:TAG|@DIGEST")]
    source: PathBuf,
    /// The module's name; the file's name without .wasm, or the end of the repository's, where absent.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Let the node check and compile it, and tell what it imports, exports and serves; activate nothing.
    #[arg(long)]
    dry_run: bool,
    /// The component's signature by minisign; where absent, FILE.minisig if there is one.
    #[arg(long, value_name = "FILE.minisig")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// What is uploaded.
struct Source {
    file: File,
    length: u64,
    name: String,
    signature: Option<String>,
}

impl Push {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let (shown, dry_run) = (self.source.display().to_string(), self.dry_run);
        let Source { file, length, name, signature } = self.open(&output)?;
        let digest = digest_of(&file).with_context(|| format!("cannot read {shown}"))?.to_string();
        let bar = if output.is_json() { ProgressBar::hidden() } else { new_bar(length) };
        let mut reader = Upload { file: bar.wrap_read(file), bar: bar.clone() };
        let path = module_path(&name, "");
        let answer: Answer = if dry_run {
            client
                .upload(&path, &[("dry_run", "true"), ("digest", &digest)], length, signature.as_deref(), &mut reader)
                .map(Answer::Checked)
        } else {
            client.upload(&path, &[("digest", &digest)], length, signature.as_deref(), &mut reader).map(Answer::Pushed)
        }
        .inspect_err(|_| bar.finish_and_clear())
        .with_context(|| format!("{shown} {}", if dry_run { "would not be taken" } else { "was not pushed" }))?;
        bar.finish_and_clear();
        let lines = match &answer {
            Answer::Pushed(module) if output.is_json() => return output.json(module),
            Answer::Checked(module) if output.is_json() => return output.json(module),
            Answer::Pushed(module) => summary(module),
            Answer::Checked(module) => found(module),
        };
        lines.iter().try_for_each(|line| output.line(line))?;
        if signature.is_some() && matches!(&answer, Answer::Pushed(module) if module.signed_by.is_none()) {
            output.note("the signature was not checked: the tenant asks for none");
        }
        Ok(())
    }

    fn open(self, output: &Output) -> anyhow::Result<Source> {
        let given = self.signature.as_deref();
        if let Some(text) = self.source.to_str().filter(|text| text.starts_with(SCHEME)) {
            let location: Location = text.parse()?;
            let signature = given.map(read_signature).transpose()?;
            let name = self.name.unwrap_or_else(|| location.name().to_owned());
            let mut file = tempfile::tempfile().context("cannot keep what the registry has")?;
            let found = fetch(&self.registry.open(location)?, &mut file, output)?;
            file.rewind().context("cannot read what the registry had")?;
            return Ok(Source { file, length: found.size, name, signature });
        }
        let (file, length) = open(&self.source)?;
        let beside = beside(&self.source).filter(|path| path.exists());
        let signature = given.or(beside.as_deref()).map(read_signature).transpose()?;
        let name = self.name.map_or_else(|| stem(&self.source), Ok)?;
        Ok(Source { file, length, name, signature })
    }
}

/// The digest of a file, which is at its beginning again afterwards: the node refuses bytes that changed on their way.
fn digest_of(mut file: &File) -> std::io::Result<Digest> {
    let mut bytes = Vec::new();
    file.take(Bound::Module.maximum().saturating_add(1)).read_to_end(&mut bytes)?;
    file.rewind()?;
    Ok(Digest::of(&bytes))
}

/// Where minisign puts the signature of a file.
fn beside(file: &Path) -> Option<PathBuf> {
    let mut name = file.file_name()?.to_owned();
    name.push(".minisig");
    Some(file.with_file_name(name))
}

/// Reads a signature, of which the node checks more than the form.
fn read_signature(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("cannot read the signature {}: `minisign -Sm FILE` writes one", path.display());
    let mut text = String::new();
    let most = u64::try_from(MAX_SIGNATURE).unwrap_or(u64::MAX);
    File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text)).with_context(unreadable)?;
    text.parse::<Signature>().with_context(|| format!("{} is no signature", path.display()))?;
    Ok(text)
}

/// What the node did.
enum Answer {
    Pushed(ModuleSummary),
    Checked(DryRun),
}

fn summary(module: &ModuleSummary) -> Vec<String> {
    let tasks = number_of(&module.tasks);
    let signed = module.signed_by.map_or_else(String::new, |key| format!(", signed by {key}"));
    let head = format!("pushed {}: {tasks} ({}, digest {}{signed})", module.name, size(module.size), module.digest.short());
    std::iter::once(head).chain(task_lines(&module.tasks)).collect()
}

fn number_of(tasks: &[TaskDescription]) -> String {
    if tasks.len() == 1 { "1 task".to_owned() } else { format!("{} tasks", tasks.len()) }
}

/// What the module says of itself is escaped.
fn found(module: &DryRun) -> Vec<String> {
    let (tasks, bytes) = (number_of(&module.tasks), size(module.size));
    let head = format!("{} could be pushed: {tasks} ({bytes}, digest {}); nothing was changed", module.name, module.digest.short());
    let compiled = match module.compile_ms {
        Some(time) => format!("compiled to {} in {time} ms", size(module.compiled_bytes)),
        None => format!("compiled to {} earlier", size(module.compiled_bytes)),
    };
    let names = |what: &str, names: &[String]| {
        let head = if names.is_empty() { format!("{what} nothing") } else { what.to_owned() };
        std::iter::once(head).chain(names.iter().map(|name| format!("  {}", escape(name)))).collect::<Vec<_>>()
    };
    let interfaces = [names("imports", &module.imports), names("exports", &module.exports)].concat();
    [head, compiled].into_iter().chain(interfaces).chain(["serves".to_owned()]).chain(task_lines(&module.tasks)).collect()
}

fn task_lines(tasks: &[TaskDescription]) -> Vec<String> {
    let width = tasks.iter().map(|task| signature(task).chars().count()).max().unwrap_or(0).min(60);
    let line = |task: &TaskDescription| format!("  {:<width$}  {}", escape(&signature(task)), escape(&task.title)).trim_end().to_owned();
    tasks.iter().map(line).collect()
}

/// The file's name without its ending.
fn stem(file: &Path) -> anyhow::Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned).ok_or_else(|| anyhow!("{} gives the module no name: give one with --name", file.display()))
}

/// Opens a file with its size. What it holds is for the node to judge.
fn open(path: &Path) -> anyhow::Result<(File, u64)> {
    let unreadable = || format!("cannot read {}: `mogbox build` makes a component and prints where it is", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let facts = file.metadata().with_context(unreadable)?;
    if !facts.is_file() || facts.len() == 0 {
        let fault = if facts.is_file() { "empty" } else { "no file" };
        bail!("{} is {fault}: give the .wasm file that `mogbox build` printed", path.display());
    }
    Ok((file, facts.len()))
}

/// A file whose end turns the bar into a spinner: the node checks and compiles then.
struct Upload<R> {
    file: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Upload<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        if self.bar.length().is_some_and(|length| self.bar.position() >= length) {
            self.bar.set_style(style("{spinner:.cyan} {wide_msg}"));
            self.bar.set_message("the node checks and compiles it");
        }
        Ok(read)
    }
}

fn new_bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    bar.set_style(style("{spinner:.cyan} [{bar:30.cyan}] {bytes}/{total_bytes}").progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A task with its arguments, such as `example.add(n1: number, n2: number = 1) -> number`. Not escaped.
pub(super) fn signature(task: &TaskDescription) -> String {
    let parameters = task.parameters.read::<Schema>().unwrap_or_default();
    let argument = |(name, schema): (&str, &mogbox_core::Json)| {
        let schema = schema.read::<Schema>().unwrap_or_default();
        if parameters.required.iter().any(|required| required == name) {
            return format!("{name}: {}", schema.kind());
        }
        let kind = schema.kind();
        let kind = kind.strip_suffix("|null").unwrap_or(&kind);
        schema.default.as_ref().map_or_else(|| format!("{name}?: {kind}"), |value| format!("{name}: {kind} = {value}"))
    };
    let arguments: Vec<String> = parameters.properties.iter().map(argument).collect();
    let returns = task
        .returns
        .as_ref()
        .and_then(|json| json.read::<Schema>().ok())
        .map_or_else(String::new, |schema| format!(" -> {}", schema.kind()));
    format!("{}({}){returns}", task.name, arguments.join(", "))
}

/// As much of a JSON Schema as a signature shows.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Schema {
    r#type: Option<serde_json::Value>,
    properties: Entries,
    required: Vec<String>,
    default: Option<mogbox_core::Json>,
}

impl Schema {
    fn kind(&self) -> String {
        match &self.r#type {
            Some(serde_json::Value::String(kind)) => kind.clone(),
            Some(serde_json::Value::Array(kinds)) => kinds.iter().filter_map(|kind| kind.as_str()).collect::<Vec<_>>().join("|"),
            _ => "any".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mogbox_core::Json;

    #[test]
    fn a_missing_or_empty_file_is_answered_with_how_to_make_one() {
        let error = format!("{:#}", open(Path::new("/nowhere/add.wasm")).unwrap_err());
        assert!(error.contains("/nowhere/add.wasm") && error.contains("mogbox build") && error.contains("No such file"), "{error}");
        assert!(open(&std::env::temp_dir()).unwrap_err().to_string().contains("is no file"));
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(open(empty.path()).unwrap_err().to_string().contains("is empty"));
    }

    #[test]
    fn what_a_module_says_of_itself_plays_no_tricks_on_a_terminal() {
        let module = DryRun {
            name: "m".to_owned(),
            digest: mogbox_core::Digest::of(b"m"),
            size: 1_024,
            imports: vec![],
            exports: vec!["lib\u{1b}[2J".to_owned()],
            tasks: vec![],
            compiled_bytes: 2_048,
            compile_ms: Some(12),
        };
        let lines = found(&module);
        assert!(lines[0].starts_with("m could be pushed: 0 tasks (") && lines[0].ends_with("; nothing was changed"), "{lines:?}");
        assert!(lines[1].starts_with("compiled to ") && lines[1].ends_with(" in 12 ms"), "{lines:?}");
        assert_eq!(lines[2..], ["imports nothing", "exports", "  lib\\u{1b}[2J", "serves"]);
    }

    #[test]
    fn a_signature_is_looked_for_beside_its_file() {
        assert_eq!(beside(Path::new("a/add.wasm")), Some(PathBuf::from("a/add.wasm.minisig")));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no signature").unwrap();
        let error = format!("{:#}", read_signature(file.path()).unwrap_err());
        assert!(error.contains("is no signature") && error.contains(".minisig"), "{error}");
    }

    #[test]
    fn a_signature_names_the_arguments_in_their_order() {
        let task = TaskDescription {
            name: "example.add".parse().unwrap(),
            title: String::new(),
            description: String::new(),
            parameters: Json::parse(
                r#"{"type":"object","properties":{"n2":{"type":"number"},"n1":{"type":["integer","null"]},
                    "x":{"type":"string","default":"a"},"y":{}},"required":["n2"]}"#,
                1_000,
            )
            .unwrap(),
            returns: Some(Json::parse(r#"{"type":"number"}"#, 100).unwrap()),
        };
        assert_eq!(signature(&task), r#"example.add(n2: number, n1?: integer, x: string = "a", y?: any) -> number"#);
    }
}
