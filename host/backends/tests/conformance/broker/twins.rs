//! Both brokers take the same turns: whatever was submitted and settled, the same tenants are served in the same order.

use std::sync::Arc;
use std::time::Duration;

use mogbox_backends::broker::Share;
use mogbox_core::broker::{Broker, Delivery, Settlement, Submission, Verdict};
use mogbox_core::ids::Tenant;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::world::{World, take};
use crate::harness::fresh_tenant;

#[derive(Debug, Clone)]
enum Operation {
    /// This tenant submits as many.
    Submit(usize, usize),
    Receive(usize),
    /// As many of those handed out first are settled, one a call, each at a cost of so many milliseconds.
    Settle(usize, Verdict, u64),
}

/// Cap and weight of each tenant. Powers of two, so that shares of costs are exact.
const SHARES: [(u32, u32); 6] = [(1_000, 1), (1_000, 1), (1_000, 2), (1_000, 4), (3, 1), (2, 8)];

fn operation() -> impl Strategy<Value = Operation> {
    let verdict = prop_oneof![6 => Just(Verdict::Done), 1 => Just(Verdict::GiveBack), 1 => Just(Verdict::RetryAfter(Duration::ZERO))];
    prop_oneof![
        3 => (0..SHARES.len(), 1..30usize).prop_map(|(tenant, number)| Operation::Submit(tenant, number)),
        3 => (1..40usize).prop_map(Operation::Receive),
        3 => (1..40usize, verdict, 0..20u64).prop_map(|(number, verdict, cost)| Operation::Settle(number, verdict, cost)),
    ]
}

/// One of the two brokers, and what it has handed out.
struct Twin {
    broker: Arc<dyn Broker>,
    held: Vec<Delivery>,
}

impl Twin {
    async fn new(world: &World, tenants: &[Tenant]) -> Self {
        let shares = SHARES.map(|(in_flight, weight)| Share { in_flight, weight });
        let broker = world.node_with(|settings| settings.tenants = tenants.iter().cloned().zip(shares).collect()).await;
        Self { broker, held: Vec::new() }
    }

    async fn step(&mut self, operation: &Operation, submissions: &[Submission]) -> Vec<(Tenant, String, u32)> {
        match operation {
            Operation::Submit(..) => self.broker.submit(submissions).await.unwrap(),
            Operation::Receive(wanted) => {
                let deliveries = take(&*self.broker, *wanted).await;
                let name = |one: &Delivery| (one.lease.tenant.clone(), one.lease.id.to_string(), one.lease.fence);
                let names = deliveries.iter().map(name).collect();
                self.held.extend(deliveries);
                return names;
            }
            Operation::Settle(number, verdict, cost) => {
                for Delivery { lease, .. } in self.held.drain(..(*number).min(self.held.len())) {
                    let settlement = Settlement { lease, request: None, verdict: verdict.clone(), cost: Duration::from_millis(*cost) };
                    self.broker.settle(&[settlement]).await.unwrap();
                }
            }
        }
        Vec::new()
    }
}

async fn run(worlds: &[World; 2], operations: &[Operation]) -> Result<(), TestCaseError> {
    let tenants = SHARES.map(|_| fresh_tenant());
    let [redis, embedded] = worlds.each_ref().map(World::afresh);
    let mut twins = [Twin::new(&redis, &tenants).await, Twin::new(&embedded, &tenants).await];
    for operation in operations {
        let requests = match operation {
            Operation::Submit(tenant, number) => redis.requests_of(&tenants[*tenant], *number),
            _ => Vec::new(),
        };
        let in_its_queue = |world: &World| requests.iter().cloned().map(|one| Submission { queue: world.queue.clone(), ..one }).collect();
        let submissions: [Vec<_>; 2] = [in_its_queue(&redis), in_its_queue(&embedded)];
        let [first, second] = &mut twins;
        let (served, other) = (first.step(operation, &submissions[0]).await, second.step(operation, &submissions[1]).await);
        prop_assert_eq!(served, other, "{:?}", operation);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_brokers_serve_the_same_tenants_in_the_same_order() {
    let worlds = [World::redis().await, World::embedded().await];
    let runtime = tokio::runtime::Handle::current();
    let check = |operations: Vec<Operation>| runtime.block_on(run(&worlds, &operations));
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let tested = tokio::task::block_in_place(|| TestRunner::new(config).run(&prop::collection::vec(operation(), 1..40), check));
    tested.unwrap_or_else(|error| panic!("{error}"));
}
