//! `mogbox tokens`: who may call a node's API.

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use mogbox_core::Tenant;
use mogbox_core::tokens::Scope;

use super::Common;
use super::client::encode;
use super::output::{Output, ago};
use crate::api::types::{NewToken, TokenCreated, TokenList, TokenView};

/// Make, list or remove the tokens that let callers in.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox tokens create --admin --note \"the first\"          from now on every call needs a token
  MOGBOX_TOKEN=mogbox_… mogbox tenants create acme
  mogbox tokens create --for acme --scope submit --scope read
  mogbox tokens create --for acme --scope upload --note ci
  mogbox tokens list
  mogbox tokens remove 3f9a0c5be1d2a477

A token is printed once. Commands take it from the environment variable MOGBOX_TOKEN. Only a digest of it is stored.
Without any token a node listens on this machine only, and whoever reaches it may do everything.")]
pub(super) struct Tokens {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a token and print it.
    Create(Create),
    /// List tokens, without what lets anybody in.
    List,
    /// Remove a token: whoever holds it is refused from now on.
    Remove {
        /// Its id, as `mogbox tokens list` shows it.
        id: String,
    },
}

#[derive(Args)]
struct Create {
    /// An operator's: good for everything, of every tenant.
    #[arg(long, conflicts_with_all = ["tenant_of_token", "scopes"])]
    admin: bool,
    /// A tenant's.
    #[arg(long = "for", id = "tenant_of_token", value_name = "TENANT")]
    tenant: Option<Tenant>,
    /// What a tenant's token is good for: read, submit or upload; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
    /// What it is for, for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| "expected read, submit or upload".to_owned())
}

impl Tokens {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        match self.command {
            Command::Create(Create { admin, tenant, scopes, note }) => {
                if !admin && (tenant.is_none() || scopes.is_empty()) {
                    bail!("say whose token it is: --admin, or --for TENANT with one --scope or more (read, submit, upload)");
                }
                created(&output, &client.post("/v1/tokens", &[], &NewToken { admin, tenant, scopes, note })?)
            }
            Command::List => list(&output, &client.get("/v1/tokens", &[])?),
            Command::Remove { id } => {
                let removed: TokenView = client.delete(&format!("/v1/tokens/{}", encode(&id)), &[])?;
                if output.is_json() {
                    return output.json(&removed);
                }
                Ok(output.line(&format!("removed token {} of {}", removed.id, holder(&removed)))?)
            }
        }
    }
}

fn created(output: &Output, created: &TokenCreated) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(created);
    }
    output.note(&format!("token {} of {}; it is shown this once:", created.view.id, holder(&created.view)));
    Ok(output.line(&created.token)?)
}

fn list(output: &Output, list: &TokenList) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(list);
    }
    let now = Timestamp::now();
    let row = |token: &TokenView| {
        let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.name()).collect();
        let good_for = if token.admin { "everything".to_owned() } else { scopes.join(", ") };
        let used = token.last_used.map_or_else(|| "never".to_owned(), |used| ago(used, now));
        vec![token.id.clone(), holder(token), good_for, ago(token.created, now), used, token.note.clone()]
    };
    let rows: Vec<_> = list.tokens.iter().map(row).collect();
    Ok(output.table(&["TOKEN", "HOLDER", "GOOD FOR", "MADE", "LAST USED", "NOTE"], &rows)?)
}

fn holder(token: &TokenView) -> String {
    token.tenant.as_ref().map_or_else(|| "an operator".to_owned(), ToString::to_string)
}
