//! Which keys a request lives under: its queue, split into shards by tenant. Stable for ever, as nodes must agree on it.

use std::collections::BTreeMap;

use mogbox_core::ids::{QueueName, RequestId, Tenant};

/// One shard of one queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::redis) struct Partition {
    pub(super) queue: QueueName,
    shard: u32,
}

impl Partition {
    /// What all its keys begin with. The braces are the hash tag that keeps them in one slot of a cluster.
    pub(super) fn base(&self) -> String {
        format!("mogbox:{{{}:{}}}:", self.queue, self.shard)
    }

    /// The list that a receiver waits for.
    pub(super) fn wake_key(&self) -> String {
        self.base() + "wake"
    }

    /// How many requests each tenant holds.
    pub(super) fn held_key(&self) -> String {
        self.base() + "held"
    }

    /// Never exists.
    pub(super) fn probe_key(&self) -> String {
        self.base() + "probe"
    }

    /// The key of one request.
    pub(super) fn request_key(&self, tenant: &Tenant, id: RequestId) -> String {
        format!("{}request:{tenant}:{id}", self.base())
    }

    /// A key of one tenant.
    pub(super) fn tenant_key(&self, kind: &str, tenant: &Tenant) -> String {
        format!("{}{kind}:{tenant}", self.base())
    }
}

/// All partitions of the queues that a node consumes.
pub(super) struct Partitions {
    consumed: Vec<Partition>,
    queues: Vec<QueueName>,
    shards: u32,
}

impl Partitions {
    pub(super) fn new(queues: &[QueueName], shards: u32) -> Self {
        let shards_of = |queue: &QueueName| (0..shards).map(|shard| Partition { queue: queue.clone(), shard }).collect::<Vec<_>>();
        Self { consumed: queues.iter().flat_map(shards_of).collect(), queues: queues.to_vec(), shards }
    }

    /// Those that are consumed.
    pub(super) fn consumed(&self) -> &[Partition] {
        &self.consumed
    }

    /// Where a tenant's requests of one queue live.
    pub(super) fn of(&self, queue: &QueueName, tenant: &Tenant) -> Partition {
        Partition { queue: queue.clone(), shard: fnv1a(tenant.as_str()) % self.shards.max(1) }
    }

    /// Where a tenant's requests of the consumed queues live.
    pub(super) fn of_tenant(&self, tenant: &Tenant) -> Vec<Partition> {
        self.queues.iter().map(|queue| self.of(queue, tenant)).collect()
    }

    /// Things by partition, in their order.
    pub(super) fn group<'a, T>(&self, things: &'a [T], place: fn(&T) -> (&QueueName, &Tenant)) -> BTreeMap<Partition, Vec<&'a T>> {
        let mut groups: BTreeMap<Partition, Vec<&T>> = BTreeMap::new();
        for thing in things {
            let (queue, tenant) = place(thing);
            groups.entry(self.of(queue, tenant)).or_default().push(thing);
        }
        groups
    }
}

/// Fowler, Noll and Vo's hash, 32 bits: short, and the same in every version and language.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_stays_in_its_shard_for_ever() {
        let tasks = QueueName::default();
        let of = |tenant: &str| Partitions::new(std::slice::from_ref(&tasks), 16).of(&tasks, &tenant.parse().unwrap());
        assert_eq!(fnv1a("foobar"), 0xbf9c_f968);
        assert_eq!(of("foobar").base(), "mogbox:{tasks:8}:");
        assert_eq!(of("foobar").wake_key(), "mogbox:{tasks:8}:wake");
        assert_ne!(of("acme"), of("globex"));
    }

    #[test]
    fn every_shard_of_every_queue_is_consumed() {
        let queues = ["a".parse().unwrap(), "b".parse().unwrap()];
        let bases: Vec<_> = Partitions::new(&queues, 2).consumed().iter().map(Partition::base).collect();
        assert_eq!(bases, ["mogbox:{a:0}:", "mogbox:{a:1}:", "mogbox:{b:0}:", "mogbox:{b:1}:"]);
    }
}
