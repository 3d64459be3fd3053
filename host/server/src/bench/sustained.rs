//! Load that lasts: requests come at half the rate that can be kept up, whether or not earlier ones are done; how long each takes
//! from the moment it was due.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::Bench;
use super::figures::{Row, quantile, row};
use super::ground::{Ground, submitter};
use super::latency::Caller;
use super::usage::count;

/// Requests a second that are waited for one by one; those between them only make the load.
const SAMPLES_A_SECOND: f64 = 1_000.0;

/// Time between two submissions of what has fallen due.
const TICK: Duration = Duration::from_millis(1);

/// Requests that go before, so that everything is in place.
const WARM: usize = 50;

/// Clients that find out how many requests are kept up with, through the API of a node or the library, and how long they try.
const API_CLIENTS: usize = 32;
const LIBRARY_CLIENTS: usize = 128;
const TRIAL: Duration = Duration::from_secs(3);

/// Offers half of what is kept up with, submissions and waiting included: through the library, or through the API where the store is
/// reached through that alone.
pub(super) async fn run(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let ground = bench.site.ground()?;
    let tenant = ground.tenant(0)?;
    let ports = ground.open().await?;
    ground.push(&ports, bench.guest, 1).await?;
    let library = (!bench.site.is_embedded()).then(|| (Caller::library(&ports, tenant.clone()), submitter(&ports)));
    drop(ports);
    let mut nodes = Vec::new();
    for _ in 0..bench.nodes() {
        nodes.push(ground.node(&bench.options()).await?);
    }
    let first = nodes.first().context("a bench has a node")?;
    let (caller, submitter, clients) = match library {
        Some((caller, submitter)) => (caller, Some(submitter), LIBRARY_CLIENTS),
        None => (Caller::http(&first.url, tenant)?, None, API_CLIENTS),
    };
    let rate = keep_up(bench, &ground, &caller, clients).await? / 2.0;
    let load = Load { bench, ground: &ground, caller, submitter, rate };
    let rows = load.run().await?;
    for node in nodes {
        node.process.stop().await?;
    }
    ground.clear().await?;
    Ok(rows)
}

/// Requests a second that clients get done who each wait for one after the other.
async fn keep_up(bench: &Bench<'_>, ground: &Ground, caller: &Caller, number: usize) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..number {
        let (caller, request) = (caller.clone(), ground.request(&bench.guest.noop));
        clients.spawn(async move {
            let mut done = 0_usize;
            while started.elapsed() < TRIAL {
                caller.run(mogbox_core::Request { id: mogbox_core::RequestId::random(), ..request.clone() }).await?;
                done += 1;
            }
            Ok::<_, anyhow::Error>(done)
        });
    }
    let done: usize = clients.join_all().await.into_iter().sum::<anyhow::Result<usize>>()?;
    Ok(count(done) / started.elapsed().as_secs_f64())
}

/// Requests that come at a rate.
struct Load<'a> {
    bench: &'a Bench<'a>,
    ground: &'a Ground,
    caller: Caller,
    /// Takes in what is not waited for; where there is none, everything is waited for.
    submitter: Option<mogbox_core::submit::Submitter>,
    rate: f64,
}

impl Load<'_> {
    async fn run(&self) -> anyhow::Result<Vec<Row>> {
        for _ in 0..WARM {
            self.caller.run(self.ground.request(&self.bench.guest.noop)).await?;
        }
        let (mut waiting, submitted, took) = self.offer().await?;
        let mut times = Vec::new();
        while let Some(time) = waiting.join_next().await {
            times.push(time??);
        }
        let time = |name: &str, times: &mut [Duration], part| row(format!("sustained_{name}"), quantile(times, part), "ms");
        Ok(vec![
            row("sustained_rate", Some(count(submitted) / took.as_secs_f64()), "tasks/s"),
            time("p50", &mut times, 0.5),
            time("p99", &mut times, 0.99),
            time("p999", &mut times, 0.999),
        ])
    }

    /// Submits what falls due, at each tick.
    async fn offer(&self) -> anyhow::Result<(JoinSet<anyhow::Result<Duration>>, usize, Duration)> {
        let mut waiting = JoinSet::new();
        let (started, mut due, mut sampled) = (Instant::now(), 0.0, 0.0);
        let mut ticks = tokio::time::interval(TICK);
        let mut submitted = 0;
        while started.elapsed() < self.bench.settings.load_time {
            ticks.tick().await;
            let now = started.elapsed().as_secs_f64() * self.rate;
            let mut unwatched = Vec::new();
            while due < now {
                let request = self.ground.request(&self.bench.guest.noop);
                if self.submitter.is_none() || sampled <= due {
                    sampled += (self.rate / SAMPLES_A_SECOND).max(1.0);
                    let (caller, moment) = (self.caller.clone(), started + Duration::from_secs_f64(due / self.rate));
                    waiting.spawn(async move { caller.run(request).await.map(|()| moment.elapsed()) });
                } else {
                    unwatched.push(request);
                }
                (due, submitted) = (due + 1.0, submitted + 1);
            }
            if let Some(submitter) = &self.submitter {
                submitter.submit_all(&self.ground.tenant(0)?, unwatched, Duration::ZERO).await?;
            }
        }
        Ok((waiting, submitted, started.elapsed()))
    }
}
