//! `mogbox modules`: what is served, and going back to an earlier version.

use clap::{Args, Subcommand};
use mogbox_core::Digest;
use mogbox_core::module::TaskDescription;

use super::Common;
use super::client::{Client, module_path};
use super::output::{Output, ago, size};
use super::push::signature;
use crate::api::types::{ModuleList, ModuleSummary, ModuleView, Removed, RollBack};
use crate::escape::escape;

/// Tasks named in one cell at most.
const TASKS_SHOWN: usize = 8;

/// List modules, show one, or roll one back.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox modules                             the active version of each module and its tasks
  mogbox modules show add                    its versions, and its tasks with their arguments
  mogbox modules roll-back add               the version before the active one serves again
  mogbox modules roll-back add --to DIGEST   that version does
  mogbox modules delete add --force          nothing serves its tasks any more
  mogbox modules delete add --version DIGEST only that version, which is not active")]
pub(super) struct Modules {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show a module's versions and tasks.
    Show {
        /// The module.
        name: String,
    },
    /// Make an earlier version active again.
    RollBack {
        /// The module.
        name: String,
        /// The version's digest, or as many of its first digits as name it alone.
        #[arg(long, value_name = "DIGEST")]
        to: Option<String>,
    },
    /// Remove a module, or one of its versions that is not active; requests that run go on.
    Delete {
        /// The module.
        name: String,
        /// Only this version: its digest, or as many of its first digits as name it alone.
        #[arg(long, value_name = "DIGEST")]
        version: Option<String>,
        /// Say that you mean it, where the whole module goes.
        #[arg(long)]
        force: bool,
    },
}

impl Modules {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        match self.action {
            None => list(&client, &output),
            Some(Action::Show { name }) => show(&client, &output, &name),
            Some(Action::Delete { name, version, force }) => delete(&client, &output, &name, version.as_deref(), force),
            Some(Action::RollBack { name, to }) => roll_back(&client, &output, &name, to.as_deref()),
        }
    }
}

fn list(client: &Client, output: &Output) -> anyhow::Result<()> {
    let list: ModuleList = client.get("/v1/modules", &[])?;
    if output.is_json() {
        return output.json(&list);
    }
    if list.modules.is_empty() {
        output.note("no modules yet: push one with `mogbox push FILE.wasm`");
        return Ok(());
    }
    let rows: Vec<_> = list.modules.iter().map(row).collect();
    Ok(output.table(&["MODULE", "DIGEST", "SIZE", "UPLOADED", "TASKS"], &rows)?)
}

fn row(module: &ModuleSummary) -> Vec<String> {
    let uploaded = ago(module.uploaded, jiff::Timestamp::now());
    vec![module.name.clone(), module.digest.short(), size(module.size), uploaded, task_names(&module.tasks)]
}

fn task_names(tasks: &[TaskDescription]) -> String {
    let names: Vec<&str> = tasks.iter().take(TASKS_SHOWN).map(|task| task.name.as_str()).collect();
    let more = tasks.len().saturating_sub(TASKS_SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

fn show(client: &Client, output: &Output, name: &str) -> anyhow::Result<()> {
    let module: ModuleView = client.get(&module_path(name, ""), &[])?;
    if output.is_json() {
        return output.json(&module);
    }
    let now = jiff::Timestamp::now();
    let rows: Vec<_> = module
        .versions
        .iter()
        .rev()
        .map(|version| {
            let active = if version.digest == module.active { "active" } else { "" };
            let digest = version.digest.short();
            let signed_by = version.signed_by.map_or_else(String::new, |key| key.to_string());
            vec![digest, active.to_owned(), size(version.size), ago(version.uploaded, now), signed_by, task_names(&version.tasks)]
        })
        .collect();
    output.table(&["DIGEST", "", "SIZE", "UPLOADED", "SIGNED BY", "TASKS"], &rows)?;
    let active = module.versions.iter().find(|version| version.digest == module.active);
    for task in active.into_iter().flat_map(|version| &version.tasks) {
        output.line("")?;
        output.line(&escape(&signature(task)))?;
        for text in [&task.title, &task.description].into_iter().filter(|text| !text.is_empty()) {
            crate::escape::escape_lines(text).try_for_each(|line| output.line(&format!("  {line}")))?;
        }
    }
    Ok(())
}

fn roll_back(client: &Client, output: &Output, name: &str, to: Option<&str>) -> anyhow::Result<()> {
    let to = to.map(|digits| find_version(client, name, digits)).transpose()?;
    let module: ModuleSummary = client.post(&module_path(name, "/roll-back"), &[], &RollBack { to })?;
    if output.is_json() {
        return output.json(&module);
    }
    let tasks = task_names(&module.tasks);
    Ok(output.line(&escape(&format!("module {} is at {} again, serving {tasks}", module.name, module.digest.short())))?)
}

fn delete(client: &Client, output: &Output, name: &str, version: Option<&str>, force: bool) -> anyhow::Result<()> {
    if version.is_none() && !force {
        anyhow::bail!("nothing would serve the tasks of module {name:?} any more: say --force, or --version DIGEST for one version");
    }
    let digest = version.map(|digits| find_version(client, name, digits)).transpose()?;
    let digest = digest.map(|digest| digest.to_string());
    let query: Vec<_> = digest.iter().map(|digest| ("version", digest.as_str())).collect();
    let removed: Removed = client.delete(&module_path(name, ""), &query)?;
    if output.is_json() {
        return output.json(&removed);
    }
    let what = removed.version.map_or_else(|| "deleted".to_owned(), |digest| format!("without version {} now", digest.short()));
    Ok(output.line(&escape(&format!("module {} is {what}", removed.name)))?)
}

/// The one version whose digest begins so.
fn find_version(client: &Client, name: &str, digits: &str) -> anyhow::Result<Digest> {
    if let Ok(digest) = digits.parse() {
        return Ok(digest);
    }
    let module: ModuleView = client.get(&module_path(name, ""), &[])?;
    let known: Vec<Digest> = module.versions.iter().map(|version| version.digest).collect();
    let begins = |digest: &&Digest| !digits.is_empty() && digest.to_string().starts_with(&digits.to_ascii_lowercase());
    match known.iter().filter(begins).collect::<Vec<_>>().as_slice() {
        [one] => Ok(**one),
        found => {
            let number = if found.is_empty() { "no version" } else { "more than one version" };
            let all: Vec<String> = known.iter().map(Digest::short).collect();
            anyhow::bail!("module {name:?} has {number} whose digest begins with {digits:?}; it has: {}", all.join(", "))
        }
    }
}
