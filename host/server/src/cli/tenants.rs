//! `mogbox tenants`: what an operator lays down for each tenant.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use mogbox_core::outgoing::{HttpRule, HttpRules};
use mogbox_core::signature::PublicKey;
use mogbox_core::{Isolation, TaskName, Tenant};
use zeroize::Zeroizing;

use super::Common;
use super::client::tenant_path;
use super::output::Output;
use super::values::Tier;
use crate::api::types::{Deleted, LimitChanges, NewTenant, Secret, TenantChange, TenantList, TenantView};
use crate::escape::escape;

/// Bytes read of a secret's file: more than one may have.
const MAX_SECRET: u64 = 128 << 10;

/// Make, list, limit, suspend or delete tenants.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox tenants create acme --weight 2 --limit memory=128MiB --limit in-flight=50
  mogbox tenants list
  mogbox tenants set acme --limit queued=10000 --limit memory=    (nothing after the =: back to the node's)
  mogbox tenants set acme --task-limit acme.report:memory=32MiB
  mogbox tenants set acme --isolation process   each attempt in a process of the tenant's own
  mogbox tenants set acme --http 'GET https://api.example.com' --config region=eu --secret api-key=key.txt
  mogbox tenants suspend acme                   takes no requests and runs none; what is queued stays
  mogbox tenants resume acme
  mogbox tenants delete acme --force            its tokens, and its requests that wait

A tenant needs no record: one without has what the node gives to everybody. Changes take effect within a second, on every node.")]
pub(super) struct Tenants {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a tenant.
    Create(Set),
    /// List those that have a record.
    List,
    /// Show one's record.
    Show {
        /// Which.
        name: Tenant,
    },
    /// Change one's record.
    Set(Set),
    /// Take no requests of a tenant and run none.
    Suspend {
        /// Which.
        name: Tenant,
    },
    /// Take and run them again.
    Resume {
        /// Which.
        name: Tenant,
    },
    /// Remove one's record and tokens, and revoke its requests that wait.
    Delete {
        /// Which.
        name: Tenant,
        /// Say that you mean it.
        #[arg(long)]
        force: bool,
    },
}

/// What may be laid down.
#[derive(Args)]
struct Set {
    /// Which tenant.
    name: Tenant,
    /// Its part where there is more work than nodes can do, 1 to 10000.
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
    /// A bound, such as memory=128MiB; `mogbox serve --help` tells where they are listed. May be given several times.
    #[arg(long = "limit", value_name = "BOUND=VALUE")]
    limits: Vec<String>,
    /// A bound of one task, at most the tenant's, such as acme.report:memory=32MiB; may be given several times.
    #[arg(long = "task-limit", value_name = "TASK:BOUND=VALUE")]
    task_limits: Vec<String>,
    /// A minisign key of which one has to sign each module that is pushed, as in the file of a public key; all those given replace what was
    /// there, `none` asks for no signature again. May be given several times.
    #[arg(long = "signing-key", value_name = "KEY")]
    signing_keys: Vec<String>,
    /// A rule for HTTP requests of its tasks, such as 'GET,POST https://*.example.com'; all those given replace what was there, `none` allows
    /// nothing of its own again. May be given several times.
    #[arg(long = "http", value_name = "RULE")]
    http: Vec<String>,
    /// Let these rules also reach addresses of the node's machine and network.
    #[arg(long, requires = "http")]
    http_private: bool,
    /// A value that its tasks read by wasi:config, such as region=eu; nothing after the = removes it. May be given several times.
    #[arg(long = "config", value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// A secret that its tasks read by wasi:config, sealed before it is stored: its key, and the file that holds it, `-` for standard input.
    /// Nothing after the = removes it. May be given several times.
    #[arg(long = "secret", value_name = "KEY=FILE")]
    secrets: Vec<String>,
    /// Where its attempts run: shared, in the node's own process, or process, in one that serves this tenant alone.
    #[arg(long, value_enum, value_name = "TIER", hide_possible_values = true)]
    isolation: Option<Tier>,
    /// Whether its guests may write metadata keys that the node protects.
    #[arg(long, value_name = "BOOL")]
    trusted: Option<bool>,
}

impl Tenants {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let suspended = |suspended| TenantChange { suspended: Some(suspended), ..TenantChange::default() };
        let (name, change) = match self.command {
            Command::Create(set) => {
                let new = NewTenant { name: set.name.clone(), change: set.change()? };
                return show(&output, &client.post("/v1/tenants", &[], &new)?);
            }
            Command::List => return list(&output, &client.get("/v1/tenants", &[])?),
            Command::Show { name } => return show(&output, &client.get(&tenant_path(&name), &[])?),
            Command::Delete { name, force } => {
                if !force {
                    bail!("the tokens of tenant {name} and its requests that wait would go: say --force");
                }
                return deleted(&output, &client.delete(&tenant_path(&name), &[])?);
            }
            Command::Set(set) => (set.name.clone(), set.change()?),
            Command::Suspend { name } => (name, suspended(true)),
            Command::Resume { name } => (name, suspended(false)),
        };
        show(&output, &client.change(&tenant_path(&name), &change)?)
    }
}

impl Set {
    fn change(self) -> anyhow::Result<TenantChange> {
        let mut limits = LimitChanges::new();
        for setting in &self.limits {
            let (bound, value) = bound_and_value(setting)?;
            limits.insert(bound, value);
        }
        let mut task_limits: BTreeMap<TaskName, LimitChanges> = BTreeMap::new();
        for setting in &self.task_limits {
            // Names of tasks may have colons, those of bounds none.
            let (task, bound) = setting
                .split_once('=')
                .and_then(|(left, value)| left.rsplit_once(':').map(|(task, bound)| (task, format!("{bound}={value}"))))
                .ok_or_else(|| {
                    anyhow!("invalid limit of a task {setting:?}: expected TASK:BOUND=VALUE, such as acme.report:memory=32MiB")
                })?;
            let (bound, value) = bound_and_value(&bound)?;
            task_limits.entry(task.parse()?).or_default().insert(bound, value);
        }
        let isolation = self.isolation.map(Into::into);
        let config = self.config.iter().map(|setting| key_and_value(setting)).collect::<anyhow::Result<_>>()?;
        let secrets = self.secrets.iter().map(|setting| secret(setting)).collect::<anyhow::Result<_>>()?;
        let signing_keys = keys(&self.signing_keys)?;
        let http = rules(&self.http, self.http_private)?;
        let (trusted, weight) = (self.trusted, self.weight);
        Ok(TenantChange { suspended: None, trusted, isolation, signing_keys, http, config, secrets, weight, limits, task_limits })
    }
}

/// The rules that were given; none where none were.
fn rules(given: &[String], private: bool) -> anyhow::Result<Option<HttpRules>> {
    let one = |text: &String| Ok::<_, anyhow::Error>(if private { text.parse::<HttpRule>()?.private() } else { text.parse()? });
    match given {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(HttpRules::default())),
        _ => Ok(Some(HttpRules::new(given.iter().map(one).collect::<Result<_, _>>()?)?)),
    }
}

fn keys(given: &[String]) -> anyhow::Result<Option<Vec<PublicKey>>> {
    match given {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(Vec::new())),
        _ => Ok(Some(given.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)),
    }
}

fn key_and_value(setting: &str) -> anyhow::Result<(String, Option<String>)> {
    let (key, value) = setting.split_once('=').ok_or_else(|| anyhow!("invalid setting {setting:?}: expected KEY=VALUE"))?;
    Ok((key.to_owned(), (!value.is_empty()).then(|| value.to_owned())))
}

/// A secret from its file, without the end of its line.
fn secret(setting: &str) -> anyhow::Result<(String, Option<Secret>)> {
    let (key, file) = key_and_value(setting)?;
    let Some(file) = file else { return Ok((key, None)) };
    let mut text = Zeroizing::new(String::new());
    let read = if file == "-" {
        std::io::stdin().lock().take(MAX_SECRET).read_to_string(&mut text)
    } else {
        File::open(&file).and_then(|open| open.take(MAX_SECRET).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read the secret {key} from {file}"))?;
    let line = text.trim_end_matches(['\r', '\n']).to_owned();
    Ok((key, Some(Secret(Zeroizing::new(line)))))
}

/// A bound with its value; none where nothing stands after the `=`.
fn bound_and_value(setting: &str) -> anyhow::Result<(String, Option<String>)> {
    let malformed = || anyhow!("invalid limit {setting:?}: expected BOUND=VALUE, such as memory=128MiB");
    let (bound, value) = setting.split_once('=').ok_or_else(malformed)?;
    Ok((bound.to_owned(), (!value.is_empty()).then(|| value.to_owned())))
}

fn list(output: &Output, list: &TenantList) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(list);
    }
    let rows: Vec<_> =
        list.tenants.iter().map(|tenant| vec![tenant.name.to_string(), state(tenant), weight(tenant), limits(tenant)]).collect();
    Ok(output.table(&["TENANT", "STATE", "WEIGHT", "LIMITS"], &rows)?)
}

fn show(output: &Output, tenant: &TenantView) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(tenant);
    }
    output.line(&format!("{}: {}, weight {}", tenant.name, state(tenant), weight(tenant)))?;
    output.line(&format!("  created {}", tenant.record.created))?;
    let own = limits(tenant);
    output.line(&format!("  limits: {}", if own.is_empty() { "the node's" } else { &own }))?;
    for key in &tenant.record.signing_keys {
        output.line(&format!("  signed by: {key}"))?;
    }
    for rule in tenant.record.http.as_slice() {
        output.line(&format!("  http: {rule}"))?;
    }
    for (key, value) in &tenant.record.config.values {
        output.line(&escape(&format!("  config: {key}={value}")))?;
    }
    for name in &tenant.secrets {
        output.line(&format!("  secret: {}", escape(name)))?;
    }
    for (task, limits) in &tenant.record.task_limits {
        output.line(&format!("  {task}: {}", pairs(limits)))?;
    }
    Ok(())
}

fn deleted(output: &Output, deleted: &Deleted) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(deleted);
    }
    let Deleted { name, tokens, requests } = deleted;
    Ok(output.line(&format!("deleted tenant {name}: {tokens} tokens removed, {requests} requests revoked"))?)
}

fn state(tenant: &TenantView) -> String {
    let state = if tenant.record.suspended { "suspended" } else { "active" };
    let isolated = if tenant.record.isolation == Some(Isolation::Process) { ", in processes of its own" } else { "" };
    let trusted = if tenant.record.trusted { ", trusted" } else { "" };
    format!("{state}{trusted}{isolated}")
}

fn weight(tenant: &TenantView) -> String {
    tenant.record.weight.unwrap_or(1).to_string()
}

fn limits(tenant: &TenantView) -> String {
    pairs(&tenant.record.limits)
}

fn pairs(limits: &mogbox_core::limits::Overrides) -> String {
    let pairs: Vec<_> = limits.iter().map(|(bound, value)| format!("{bound}={}", bound.unit().show(value))).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_without_a_value_goes_back_to_the_nodes() {
        assert_eq!(bound_and_value("memory=1GiB").unwrap(), ("memory".to_owned(), Some("1GiB".to_owned())));
        assert_eq!(bound_and_value("memory=").unwrap(), ("memory".to_owned(), None));
        assert!(bound_and_value("memory").unwrap_err().to_string().contains("BOUND=VALUE"));
    }
}
