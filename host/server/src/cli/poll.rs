//! Showing something again and again.

use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::output::Output;
use super::values::parse_duration;

/// No node is asked more often.
const SHORTEST: Duration = Duration::from_millis(100);

/// How often something is shown again.
#[derive(Args)]
pub(super) struct Poll {
    /// Show it again each time this has passed, until Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    poll: Option<Duration>,
}

/// Shows something once, or again and again. On a terminal each time takes the place of the last.
pub(super) fn poll(Poll { poll }: &Poll, output: &Output, show: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    if let Some(every) = poll.filter(|every| *every < SHORTEST) {
        bail!("invalid --poll {every:?}: expected at least {SHORTEST:?}");
    }
    show()?;
    while let Some(every) = poll {
        std::thread::sleep(*every);
        output.clear()?;
        show()?;
    }
    Ok(())
}
