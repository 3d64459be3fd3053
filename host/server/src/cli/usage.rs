//! `mogbox usage`: what a tenant used, by day.

use clap::Args;

use super::Common;
use super::output::{micros, size};
use crate::api::types::{DayUsage, UsageView};

/// Show what a tenant used, by day.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox usage                                  the last 7 days of the tenant
  mogbox usage --tenant acme --days 30 --json   for billing

Days are those of UTC. Sums are stored once a second.")]
pub(super) struct UsageArgs {
    /// How many days, up to 400.
    #[arg(long, value_name = "N", default_value_t = 7)]
    days: u16,
}

impl UsageArgs {
    pub(super) fn run(&self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let usage: UsageView = client.get("/v1/usage", &[("days", &self.days.to_string())])?;
        if output.is_json() {
            return output.json(&usage);
        }
        let rows: Vec<_> = usage.days.iter().map(row).collect();
        Ok(output.table(&["DAY", "REQUESTS", "ATTEMPTS", "CPU", "MEMORY", "SENT OUT", "STORED"], &rows)?)
    }
}

fn row(DayUsage { day, usage }: &DayUsage) -> Vec<String> {
    let memory = format!("{}.{} MiB s", usage.memory_mib_ms / 1_000, usage.memory_mib_ms % 1_000 / 100);
    let counts = [day.to_string(), usage.requests.to_string(), usage.attempts.to_string()];
    let sizes = [micros(usage.cpu_us), memory, size(usage.outgoing_bytes), size(usage.stored_bytes)];
    counts.into_iter().chain(sizes).collect()
}
