//! The script calls: arguments in, answers out. Their meaning is in the scripts.

use std::ops::Range;
use std::time::Duration;

use mogbox_core::broker::{BrokerError, Lease, Settlement, Submission, Verdict, Wanted};
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::request::MAX_PRIORITY;
use mogbox_core::wire::envelope::encode_request;
use redis::{Script, ScriptInvocation};

use super::partition::Partition;
use crate::broker::{self, BATCH, BrokerSettings, Claimed, Message, micros};
use crate::redis::RedisConnection;
use crate::redis::scripts::NUMBERS;

/// Begins a script that a full server refuses as a whole, before it did half of its work: it takes more work in, or on.
pub(in crate::redis) const WITHIN_MEMORY: &str = "#!lua\n";

/// Begins a script that a full server runs all the same: it keeps or frees what is held. Were leases not renewed there, each request
/// that runs would be taken for one whose node died, until it was given up.
const OVER_MEMORY: &str = "#!lua flags=allow-oom\n";

/// What all scripts share.
const SHARED: [&str; 4] = [NUMBERS, include_str!("shard.lua"), include_str!("requests.lua"), include_str!("tenants.lua")];

const EXCHANGE: [&str; 2] = [include_str!("claim.lua"), include_str!("exchange.lua")];

/// Tenant, id, and the request's text.
type Claim = (String, String, Vec<u8>);

/// Where a request's text has these numbers, and where its body begins; see `requests.lua`.
const FENCE: Range<usize> = 2..12;
const EXPIRIES: Range<usize> = 12..22;
const SINCE: Range<usize> = 22..38;
const BODY: usize = 54;

pub(super) struct Calls {
    connection: RedisConnection,
    settings: BrokerSettings,
    submit: Script,
    exchange: Script,
    /// The same, for calls that want nothing.
    settle: Script,
    extend: Script,
    wait: Script,
    bury: Script,
    purge: Script,
}

impl Calls {
    pub(super) fn new(connection: RedisConnection, settings: BrokerSettings) -> Self {
        Self {
            connection,
            settings,
            submit: script(WITHIN_MEMORY, &[include_str!("submit.lua")]),
            exchange: script(WITHIN_MEMORY, &EXCHANGE),
            settle: script(OVER_MEMORY, &EXCHANGE),
            extend: script(OVER_MEMORY, &[include_str!("extend.lua")]),
            wait: script(OVER_MEMORY, &[include_str!("wait.lua")]),
            bury: script(WITHIN_MEMORY, &[include_str!("bury.lua")]),
            purge: script(OVER_MEMORY, &[include_str!("purge.lua")]),
        }
    }

    /// Queues requests of a tenant, all or none.
    pub(super) async fn submit(&self, partition: &Partition, tenant: &Tenant, submissions: &[&Submission]) -> Result<(), BrokerError> {
        let mut call = self.queueing(&self.submit, partition, tenant);
        submissions.iter().for_each(|submission| add_queued(&mut call, submission, 0));
        Ok(self.connection.run::<()>(&call).await?)
    }

    /// Queues requests of a tenant that another broker carried, all or none, each with the fence of its last hand-out there.
    pub(super) async fn take_over(&self, partition: &Partition, tenant: &Tenant, moved: &[&(Submission, u32)]) -> Result<(), BrokerError> {
        let mut call = self.queueing(&self.submit, partition, tenant);
        moved.iter().for_each(|(submission, fence)| add_queued(&mut call, submission, *fence));
        Ok(self.connection.run::<()>(&call).await?)
    }

    /// A call that queues requests of a tenant.
    pub(super) fn queueing<'a>(&self, script: &'a Script, partition: &Partition, tenant: &Tenant) -> ScriptInvocation<'a> {
        let mut call = self.call(script, partition);
        self.name(&mut call, tenant);
        call
    }

    /// Settles deliveries of a partition, at most [`BATCH`], and hands out requests of it.
    pub(super) async fn exchange(
        &self,
        partition: &Partition,
        settlements: &[&Settlement],
        wanted: &Wanted,
    ) -> Result<Claimed, BrokerError> {
        let script = if wanted.most > 0 { &self.exchange } else { &self.settle };
        let mut call = self.call(script, partition);
        call.arg(wanted.most.min(BATCH)).arg(micros(self.settings.lease));
        call.arg(broker::MOST_TAKEN_BACK).arg(broker::MOST_PROMOTED).arg(broker::MOST_CLAIMED_BYTES);
        call.arg(broker::ESTIMATED_COST).arg(broker::LEAST_COST);
        call.arg(broker::MOST_DEAD).arg(broker::DEAD_LIFETIME.as_secs()).arg(broker::LONGEST_DEAD_BODY);
        call.arg(wanted.of_each).arg(wanted.not_of.len());
        for tenant in &wanted.not_of {
            call.arg(tenant.as_str());
        }
        self.add_settled(&mut call, settlements);
        let (now, next, claims): (u64, i64, Vec<Claim>) = self.connection.run(&call).await?;
        let messages = claims.into_iter().filter_map(|claim| message(partition, claim, now)).collect();
        Ok(Claimed { messages, next: u64::try_from(next).ok().map(Duration::from_micros) })
    }

    /// Adds settlements, those in a row with the same share and verdict together: what a group shares is sent once.
    fn add_settled(&self, call: &mut ScriptInvocation<'_>, settlements: &[&Settlement]) {
        let alike = |one: &&Settlement, next: &&Settlement| {
            one.verdict == next.verdict && self.settings.share_of(&one.lease.tenant) == self.settings.share_of(&next.lease.tenant)
        };
        for group in settlements.chunk_by(alike) {
            let Some(first) = group.first() else { continue };
            call.arg(self.own_share(&first.lease.tenant));
            decide(call, &first.verdict);
            call.arg(group.len());
            for Settlement { lease, cost, .. } in group {
                call.arg(lease.tenant.as_str()).arg(lease.id.to_string()).arg(lease.fence).arg(micros(*cost));
            }
        }
    }

    /// Renews leases; returns those that are lost.
    pub(super) async fn extend(&self, partition: &Partition, leases: &[&Lease]) -> Result<Vec<Lease>, BrokerError> {
        let mut lost = Vec::new();
        for chunk in leases.chunks(BATCH) {
            let mut call = self.call(&self.extend, partition);
            call.arg(micros(self.settings.lease));
            for lease in chunk {
                call.arg(lease.tenant.as_str()).arg(lease.id.to_string()).arg(lease.fence);
            }
            let numbers: Vec<usize> = self.connection.run(&call).await?;
            lost.extend(numbers.into_iter().filter_map(|number| chunk.get(number).map(|lease| (*lease).clone())));
        }
        Ok(lost)
    }

    /// Notes whether a request only waits.
    pub(super) async fn set_waiting(&self, partition: &Partition, lease: &Lease, waiting: bool) -> Result<(), BrokerError> {
        let mut call = self.call(&self.wait, partition);
        self.name(&mut call, &lease.tenant);
        call.arg(lease.id.to_string()).arg(lease.fence).arg(u8::from(waiting));
        Ok(self.connection.run::<()>(&call).await?)
    }

    /// Applies a tenant's share as it is now: a submission of nothing.
    pub(super) async fn reshare(&self, partition: &Partition, tenant: &Tenant) -> Result<(), BrokerError> {
        let mut call = self.call(&self.submit, partition);
        self.name(&mut call, tenant);
        Ok(self.connection.run::<()>(&call).await?)
    }

    /// Puts a message that was never queued to the dead letters.
    pub(super) async fn bury(&self, partition: &Partition, tenant: &Tenant, body: &[u8], reason: &str) -> Result<(), BrokerError> {
        let mut call = self.call(&self.bury, partition);
        let kept = body.get(..broker::LONGEST_DEAD_BODY).unwrap_or(body);
        call.arg(tenant.as_str()).arg("").arg(kept).arg(broker::clip_reason(reason));
        call.arg(broker::MOST_DEAD).arg(broker::DEAD_LIFETIME.as_secs());
        Ok(self.connection.run::<()>(&call).await?)
    }

    /// Removes requests that lie ready or held back, at most [`BATCH`].
    pub(super) async fn purge(&self, partition: &Partition, tenant: &Tenant, most: usize) -> Result<Vec<RequestId>, BrokerError> {
        let mut call = self.call(&self.purge, partition);
        self.name(&mut call, tenant);
        call.arg(most.min(BATCH));
        let ids: Vec<String> = self.connection.run(&call).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// A call that begins as all do.
    fn call<'a>(&self, script: &'a Script, partition: &Partition) -> ScriptInvocation<'a> {
        let mut call = script.key(partition.base());
        call.arg(self.settings.share.in_flight).arg(self.settings.share.weight);
        call
    }

    /// Adds a tenant and its share.
    fn name(&self, call: &mut ScriptInvocation<'_>, tenant: &Tenant) {
        call.arg(tenant.as_str()).arg(self.own_share(tenant));
    }

    /// A tenant's share: nothing where that is what all have.
    fn own_share(&self, tenant: &Tenant) -> String {
        let share = self.settings.share_of(tenant);
        if share == self.settings.share { String::new() } else { format!("{} {}", share.in_flight, share.weight) }
    }
}

/// Adds what `queue` of `requests.lua` takes of one request.
pub(in crate::redis) fn add_queued(call: &mut ScriptInvocation<'_>, Submission { request, delay, .. }: &Submission, fence: u32) {
    call.arg(request.id.to_string()).arg(request.priority.min(MAX_PRIORITY)).arg(micros(*delay)).arg(fence).arg(encode_request(request));
}

/// A script of these steps, after what all of them share.
pub(in crate::redis) fn script(flags: &str, steps: &[&str]) -> Script {
    Script::new(&[&[flags], SHARED.as_slice(), steps].concat().concat())
}

fn decide(call: &mut ScriptInvocation<'_>, verdict: &Verdict) {
    match verdict {
        Verdict::Done => call.arg("done").arg(""),
        Verdict::RetryAfter(wait) => call.arg("retry").arg(micros(*wait)),
        Verdict::GiveBack => call.arg("give-back").arg(""),
        Verdict::Reject(reason) => call.arg("reject").arg(broker::clip_reason(reason)),
    };
}

/// None where a name in the lease is none of ours: whoever wrote it by hand gets it logged each time its lease ends.
fn message(partition: &Partition, (tenant, id, mut text): Claim, now: u64) -> Option<Message> {
    let (Ok(tenant), Ok(id)) = (tenant.parse(), id.parse()) else {
        tracing::error!(tenant, id, partition = partition.base(), "a request with a malformed name is passed over");
        return None;
    };
    let number = |at| number(&text, at);
    // The lease has counted this hand-out already, which is not in the text before the lease ends.
    let fence = small(number(FENCE).saturating_add(1));
    let lease = Lease { tenant, queue: partition.queue.clone(), id, fence };
    let queued = Duration::from_micros(now.saturating_sub(number(SINCE)));
    let expiries = small(number(EXPIRIES));
    text.drain(..BODY.min(text.len()));
    Some(Message { lease, expiries, queued, body: text })
}

/// A number of a text; 0 where others wrote something else.
fn number(text: &[u8], at: Range<usize>) -> u64 {
    text.get(at).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
