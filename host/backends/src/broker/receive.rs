//! Receiving: claims until there is something, and waits in between. What cannot be read goes to the dead letters here, for every
//! backend alike. Knows no backend.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mogbox_core::broker::{BrokerError, Delivery, Lease, Settlement, Verdict, Wanted};
use mogbox_core::request::Request;
use mogbox_core::wire::envelope::decode_request;
use rand::RngExt as _;
use tokio::time::Instant;

/// A wake-up that is lost, because the node it woke died, delays work by no more than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Nodes that wait for the same moment look for work spread over this time.
const SPREAD: Duration = Duration::from_millis(5);

/// After a claim that left nothing, none is made for as long, unless a wake-up says that there is something.
const LULL: Duration = Duration::from_secs(1);

/// How often a node looks for requests of other tenants while one has as much of it as it may.
const GLANCE: Duration = Duration::from_millis(2);

/// Waits are cut to this, so that the end of one can be reckoned.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// A message that was handed out.
pub(crate) struct Message {
    pub(crate) lease: Lease,
    pub(crate) expiries: u32,
    pub(crate) queued: Duration,
    pub(crate) body: Vec<u8>,
}

/// The answer to a claim.
#[derive(Default)]
pub(crate) struct Claimed {
    pub(crate) messages: Vec<Message>,
    /// When the next lease expires or the next request is due, from now.
    pub(crate) next: Option<Duration>,
}

impl Claimed {
    /// Adds what was claimed elsewhere.
    pub(crate) fn join(&mut self, other: Self) {
        self.messages.extend(other.messages);
        self.next = self.next.into_iter().chain(other.next).min();
    }
}

/// Until when a node's last claim left nothing to hand out, where wake-ups outlast the calls: the next receiver can wait at once. Were
/// it to look again first, what has just been handed out would have to wait for that.
#[derive(Default)]
pub(crate) struct Lull(Mutex<Option<Instant>>);

impl Lull {
    fn note(&self, wanted: &Wanted, claimed: &Claimed) {
        let nothing_left = claimed.messages.len() < wanted.most.min(wanted.of_each) && wanted.not_of.is_empty();
        let until = nothing_left.then(|| Instant::now() + until_next(claimed.next, LULL));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// What is left of it. It counts for one receiver, who looks again after it.
    fn take(&self) -> Option<Duration> {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        until.checked_duration_since(Instant::now())
    }
}

/// One receiver's place in the line at a backend, for the time of one call.
pub(crate) trait Line: Send {
    /// Settles deliveries, then hands out what is `wanted`. Where it fails, nothing was handed out.
    fn exchange(&mut self, settlements: &[Settlement], wanted: &Wanted) -> impl Future<Output = Result<Claimed, BrokerError>> + Send;

    /// Returns after the time, or earlier where there may be work. Work that came since the last claim counts.
    fn wait(&mut self, most: Duration) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Where wake-ups for work that came between two calls are kept.
    fn lull(&self) -> Option<&Lull> {
        None
    }
}

async fn claim(line: &mut impl Line, settlements: &[Settlement], wanted: &Wanted) -> Result<Claimed, BrokerError> {
    let claimed = line.exchange(settlements, wanted).await?;
    if let Some(lull) = line.lull().filter(|_| wanted.most > 0) {
        lull.note(wanted, &claimed);
    }
    Ok(claimed)
}

/// Hands out what is `wanted`, waiting up to `wait` for the first.
pub(crate) async fn receive(
    line: &mut impl Line,
    wanted: &Wanted,
    wait: Duration,
    longest_message: usize,
) -> Result<Vec<Delivery>, BrokerError> {
    let end = Instant::now() + wait.min(LONGEST_WAIT);
    if !wait.is_zero()
        && let Some(left) = line.lull().and_then(Lull::take)
    {
        line.wait(left.min(wait)).await?;
    }
    loop {
        let claimed = claim(line, &[], wanted).await?;
        let any = !claimed.messages.is_empty();
        let deliveries = admit(line, claimed.messages, longest_message).await;
        let left = end.saturating_duration_since(Instant::now());
        if !deliveries.is_empty() || left.is_zero() || wanted.most == 0 {
            return Ok(deliveries);
        }
        if !any && wanted.not_of.is_empty() {
            pause(line, left, claimed.next).await?;
        } else if !any {
            // A wake-up may be for those who are not wanted here, and is left to other nodes.
            tokio::time::sleep(GLANCE.min(left)).await;
        }
    }
}

/// Settles deliveries and hands out what is `wanted` and lies ready.
pub(crate) async fn exchange(
    line: &mut impl Line,
    settlements: &[Settlement],
    wanted: &Wanted,
    longest_message: usize,
) -> Result<Vec<Delivery>, BrokerError> {
    let claimed = claim(line, settlements, wanted).await?;
    Ok(admit(line, claimed.messages, longest_message).await)
}

async fn pause(line: &mut impl Line, left: Duration, next: Option<Duration>) -> Result<(), BrokerError> {
    line.wait(until_next(next, LONGEST_PAUSE).min(left)).await
}

/// How long to wait for what is next, by no more than `longest`: never as long as another node that waits for the same.
fn until_next(next: Option<Duration>, longest: Duration) -> Duration {
    let fallback = between(longest / 2, longest);
    next.map_or(fallback, |next| (next + between(Duration::from_millis(1), SPREAD)).min(fallback))
}

fn between(least: Duration, most: Duration) -> Duration {
    rand::rng().random_range(least..=most)
}

async fn admit(line: &mut impl Line, messages: Vec<Message>, longest: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::with_capacity(messages.len());
    let mut rejected = Vec::new();
    for Message { lease, expiries, queued, body } in messages {
        match decode(&lease, &body, longest) {
            Ok(request) => deliveries.push(Delivery { request, lease, expiries, queued }),
            Err(reason) => rejected.push(reject(lease, reason)),
        }
    }
    if !rejected.is_empty()
        && let Err(error) = line.exchange(&rejected, &Wanted::any(0)).await
    {
        tracing::warn!(%error, messages = rejected.len(), "cannot put malformed messages to the dead letters; they come again");
    }
    deliveries
}

fn decode(lease: &Lease, body: &[u8], longest: usize) -> Result<Arc<Request>, String> {
    let request = decode_request(body, longest).map_err(|error| error.to_string())?;
    if request.id == lease.id {
        Ok(Arc::new(request))
    } else {
        Err(format!("the message is queued as {} but its request is {}", lease.id, request.id))
    }
}

fn reject(lease: Lease, reason: String) -> Settlement {
    tracing::warn!(tenant = %lease.tenant, queue = %lease.queue, id = %lease.id, reason, "a message is no request");
    Settlement { lease, request: None, verdict: Verdict::Reject(reason), cost: Duration::ZERO }
}
