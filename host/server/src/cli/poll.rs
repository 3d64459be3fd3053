//! Showing something again and again.

use std::time::Duration;

use clap::Args;

use super::output::Output;
use super::values::parse_duration;

/// How often something is shown again.
#[derive(Args)]
pub(super) struct Poll {
    /// Show it again each time this has passed, until Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    poll: Option<Duration>,
}

/// Shows something once, or again and again. On a terminal each time takes the place of the last.
pub(super) fn poll(Poll { poll }: &Poll, output: &Output, show: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    show()?;
    while let Some(every) = poll {
        std::thread::sleep(*every);
        output.clear()?;
        show()?;
    }
    Ok(())
}
