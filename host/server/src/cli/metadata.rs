//! `mogbox metadata`: read and write the metadata of a request, whether it waits, runs or is done.

use clap::Args;
use mogbox_core::{Entries, Json, RequestId};

use super::Common;
use super::client::{Client, encode, request_path};
use super::output::Output;
use super::values::parse_entry;
use crate::escape::escape_json;

/// Read or write the metadata of a request.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox metadata \"$id\"                            all of it
  mogbox metadata \"$id\" progress                   one key
  mogbox metadata \"$id\" --set user_id=dkl          a bare word is a string
  mogbox metadata \"$id\" --set n=1 --set 'l=[1, 2]' all or none are stored

The running task sees a change when it next reads the key.")]
pub(super) struct Metadata {
    /// The request.
    id: RequestId,
    /// Print the value of this key only.
    #[arg(conflicts_with = "set")]
    key: Option<String>,
    /// Store a value; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_entry)]
    set: Vec<(String, Json)>,
}

impl Metadata {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        match self.key {
            Some(key) => print_one(&client, &output, self.id, &key),
            None if self.set.is_empty() => print_all(&client, &output, self.id),
            None => store(&client, &output, self.id, self.set.into_iter().collect()),
        }
    }
}

fn print_one(client: &Client, output: &Output, id: RequestId, key: &str) -> anyhow::Result<()> {
    let value: Json = client.get(&request_path(id, &format!("/metadata/{}", encode(key))), &[])?;
    Ok(output.line(&escape_json(value.as_str()))?)
}

fn print_all(client: &Client, output: &Output, id: RequestId) -> anyhow::Result<()> {
    let entries: Entries = client.get(&request_path(id, "/metadata"), &[])?;
    if output.is_json() {
        return output.json(&entries);
    }
    if entries.is_empty() {
        output.note("no metadata");
        return Ok(());
    }
    let rows: Vec<_> = entries.iter().map(|(key, value)| vec![key.to_owned(), escape_json(value.as_str()).into_owned()]).collect();
    Ok(output.table(&["KEY", "VALUE"], &rows)?)
}

fn store(client: &Client, output: &Output, id: RequestId, entries: Entries) -> anyhow::Result<()> {
    client.patch(&request_path(id, "/metadata"), &entries)?;
    let keys: Vec<String> = entries.iter().map(|(key, _)| key.to_owned()).collect();
    output.note(&format!("stored {}", keys.join(", ")));
    Ok(())
}
