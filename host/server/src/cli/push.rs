//! `mogbox push`: uploads a component and tells what it serves.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mogbox_core::Entries;
use mogbox_core::module::TaskDescription;
use serde::Deserialize;

use super::Common;
use super::client::module_path;
use super::output::size;
use crate::api::types::{DryRun, ModuleSummary};
use crate::escape::escape;

/// Upload a component and make it the active version of its module.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox push examples/add/target/mogbox/example-add.wasm
  mogbox push build/task.wasm --name add      the module is named add, not task
  mogbox push build/task.wasm --dry-run       what the node finds in it; nothing changes

Pushing again under the same name replaces the active version; `mogbox modules roll-back NAME` goes back.")]
pub(super) struct Push {
    /// The component, a .wasm file as `mogbox build` makes it.
    file: PathBuf,
    /// The module's name; the file's name without .wasm where absent.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Let the node check and compile it, and tell what it imports, exports and serves; activate nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Push {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let (file, length) = open(&self.file)?;
        let name = match self.name {
            Some(name) => name,
            None => stem(&self.file)?,
        };
        let bar = if output.is_json() { ProgressBar::hidden() } else { new_bar(length) };
        let mut reader = Upload { file: bar.wrap_read(file), bar: bar.clone() };
        let path = module_path(&name, "");
        let answer: Answer = if self.dry_run {
            client.upload(&path, &[("dry_run", "true")], length, &mut reader).map(Answer::Checked)
        } else {
            client.upload(&path, &[], length, &mut reader).map(Answer::Pushed)
        }
        .inspect_err(|_| bar.finish_and_clear())
        .with_context(|| format!("{} {}", self.file.display(), if self.dry_run { "would not be taken" } else { "was not pushed" }))?;
        bar.finish_and_clear();
        let lines = match &answer {
            Answer::Pushed(module) if output.is_json() => return output.json(module),
            Answer::Checked(module) if output.is_json() => return output.json(module),
            Answer::Pushed(module) => summary(module),
            Answer::Checked(module) => found(module),
        };
        lines.iter().try_for_each(|line| output.line(line))?;
        Ok(())
    }
}

/// What the node did.
enum Answer {
    Pushed(ModuleSummary),
    Checked(DryRun),
}

fn summary(module: &ModuleSummary) -> Vec<String> {
    let tasks = number_of(&module.tasks);
    let head = format!("pushed {}: {tasks} ({}, digest {})", module.name, size(module.size), module.digest.short());
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

fn style(template: &str) -> ProgressStyle {
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
