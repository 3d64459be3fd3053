//! Waiting for results from outside, by one look of constant cost every few milliseconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures::future::try_join_all;
use mogbox_backends::redis::RedisConnection;
use mogbox_core::{ResultStore, State};

use super::ground::Ticket;
use super::node::Node;
use crate::api::types::RequestView;
use crate::cli::client::request_path;

/// Time between two looks at a server.
const LOOK: Duration = Duration::from_millis(5);

/// Time between two looks through a node, which have their part in what it does.
const LOOK_THROUGH: Duration = Duration::from_millis(20);

/// Time without progress after which a measurement is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Who looks for results.
pub(super) enum Eye {
    /// Asks the server that keeps them, at the least cost.
    Redis(RedisConnection),
    /// Asks the store.
    Store(Arc<dyn ResultStore>),
    /// Asks the node that keeps them, by its address.
    Node(ureq::Agent, String),
}

impl Eye {
    /// Looks through a node.
    pub(super) fn node(node: &Node) -> Self {
        Self::Node(ureq::agent(), node.url.clone())
    }

    const fn pause(&self) -> Duration {
        match self {
            Self::Redis(_) | Self::Store(_) => LOOK,
            Self::Node(..) => LOOK_THROUGH,
        }
    }

    /// How many of these requests are done.
    pub(super) async fn done(&self, tickets: &[Ticket]) -> anyhow::Result<usize> {
        match self {
            Self::Redis(redis) => Ok(redis.count_values(tickets.iter().map(|ticket| (&ticket.tenant, ticket.id))).await?),
            Self::Store(_) | Self::Node(..) => self.count(tickets, State::is_final).await,
        }
    }

    /// About how many of these requests are done, which are served in their order: found by halves, as many looks would take longer
    /// than what they look at.
    pub(super) async fn about_done(&self, tickets: &[Ticket]) -> anyhow::Result<usize> {
        let (mut done, mut open) = (0, tickets.len());
        while done < open {
            let middle = usize::midpoint(done, open);
            if self.done(tickets.get(middle..=middle).unwrap_or_default()).await? == 1 {
                done = middle + 1;
            } else {
                open = middle;
            }
        }
        Ok(done)
    }

    /// How many of these requests are in such a state. The server alone does not know.
    pub(super) async fn count(&self, tickets: &[Ticket], fits: fn(State) -> bool) -> anyhow::Result<usize> {
        match self {
            Self::Redis(_) => bail!("a server knows no states"),
            Self::Store(results) => {
                let read = |ticket: &Ticket| {
                    let (tenant, id) = (ticket.tenant.clone(), ticket.id);
                    async move { results.read(&tenant, &[id]).await }
                };
                let found = try_join_all(tickets.iter().map(read)).await?;
                Ok(found.iter().flatten().flatten().filter(|result| fits(result.state)).count())
            }
            Self::Node(agent, url) => {
                let (agent, url, tickets) = (agent.clone(), url.clone(), tickets.to_vec());
                tokio::task::spawn_blocking(move || ask(&agent, &url, &tickets, fits)).await?
            }
        }
    }

    /// Waits until all of these requests are done.
    pub(super) async fn until(&self, tickets: &[Ticket]) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let done = self.done(tickets).await?;
            if done == tickets.len() {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("{} requests are not done after {} s", tickets.len() - done, PATIENCE.as_secs());
            }
            tokio::time::sleep(self.pause()).await;
        }
    }
}

fn ask(agent: &ureq::Agent, url: &str, tickets: &[Ticket], fits: fn(State) -> bool) -> anyhow::Result<usize> {
    let mut number = 0;
    for Ticket { tenant, id } in tickets {
        let uri = format!("{url}{}?tenant={tenant}&fields=", request_path(*id, ""));
        // A busy node may have closed the connection that it was idle on: a second one is new.
        let mut answer = agent.get(&uri).call().or_else(|_| agent.get(&uri).call())?;
        let view: RequestView = answer.body_mut().read_json()?;
        number += usize::from(fits(view.result.state));
    }
    Ok(number)
}
