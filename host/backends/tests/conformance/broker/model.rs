//! Random operations, compared step by step with a simple model of a queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mogbox_core::broker::{Broker, Lease, Settlement, Submission, Verdict};
use mogbox_core::ids::RequestId;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::world::{World, take};
use crate::harness::on_both;

on_both! { World;
    any_sequence_of_operations_does_what_a_simple_queue_does
}

#[derive(Debug, Clone)]
enum Operation {
    /// Submits request number so of the pool.
    Submit(usize, bool),
    Receive(usize),
    /// Settles the lease of this number, of all ever held.
    Settle(usize, Verdict),
    Extend(usize),
    PassTime,
}

fn operation() -> impl Strategy<Value = Operation> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Done),
        2 => Just(Verdict::GiveBack),
        1 => Just(Verdict::RetryAfter(Duration::ZERO)),
        2 => Just(Verdict::RetryAfter(Duration::from_secs(60))),
        1 => Just(Verdict::Reject("no".to_owned())),
    ];
    prop_oneof![
        4 => (0..POOL, prop::bool::weighted(0.2)).prop_map(|(number, delayed)| Operation::Submit(number, delayed)),
        4 => (1..4usize).prop_map(Operation::Receive),
        4 => (any::<prop::sample::Index>(), verdict).prop_map(|(at, verdict)| Operation::Settle(at.index(1_000), verdict)),
        1 => any::<prop::sample::Index>().prop_map(|at| Operation::Extend(at.index(1_000))),
        1 => Just(Operation::PassTime),
    ]
}

const POOL: usize = 8;

#[derive(Debug, Clone, PartialEq)]
enum Place {
    Ready,
    /// Until the time passes.
    Delayed {
        passed: bool,
    },
    Leased {
        passed: bool,
    },
}

#[derive(Debug, Clone)]
struct Known {
    place: Place,
    order: (std::cmp::Reverse<u8>, u64),
    fence: u32,
    expiries: u32,
    due: u64,
}

/// The queue as it ought to be.
#[derive(Default)]
struct Model {
    known: BTreeMap<RequestId, Known>,
    sequence: u64,
    due: u64,
    dead: u64,
}

impl Model {
    fn submit(&mut self, id: RequestId, priority: u8, delayed: bool) {
        if self.known.contains_key(&id) {
            return;
        }
        let order = (std::cmp::Reverse(priority), 0);
        self.known.insert(id, Known { place: Place::Ready, order, fence: 0, expiries: 0, due: 0 });
        if delayed { self.hold_back(id) } else { self.enqueue(id) }
    }

    fn enqueue(&mut self, id: RequestId) {
        self.sequence += 1;
        let known = self.known.get_mut(&id).unwrap();
        (known.order.1, known.place) = (self.sequence, Place::Ready);
    }

    fn hold_back(&mut self, id: RequestId) {
        self.due += 1;
        let known = self.known.get_mut(&id).unwrap();
        (known.due, known.place) = (self.due, Place::Delayed { passed: false });
    }

    fn receive(&mut self, wanted: usize) -> Vec<(RequestId, u32, u32)> {
        for known in self.known.values_mut().filter(|known| known.place == Place::Leased { passed: true }) {
            known.place = Place::Ready;
            known.expiries += 1;
        }
        let mut due: Vec<_> = self.known.iter().filter(|(_, known)| known.place == Place::Delayed { passed: true }).collect();
        due.sort_by_key(|(_, known)| known.due);
        for id in due.into_iter().map(|(id, _)| *id).collect::<Vec<_>>() {
            self.enqueue(id);
        }
        let mut ready: Vec<_> = self.known.iter_mut().filter(|(_, known)| known.place == Place::Ready).collect();
        ready.sort_by_key(|(_, known)| known.order);
        let hand_out = |(id, known): (&RequestId, &mut Known)| {
            known.fence += 1;
            known.place = Place::Leased { passed: false };
            (*id, known.fence, known.expiries)
        };
        ready.into_iter().take(wanted).map(hand_out).collect()
    }

    fn holder(&mut self, lease: &Lease) -> Option<&mut Known> {
        let held = |known: &&mut Known| matches!(known.place, Place::Leased { .. }) && known.fence == lease.fence;
        self.known.get_mut(&lease.id).filter(held)
    }

    fn settle(&mut self, lease: &Lease, verdict: &Verdict) {
        let Some(known) = self.holder(lease) else { return };
        match verdict {
            Verdict::GiveBack => known.place = Place::Ready,
            Verdict::RetryAfter(wait) if wait.is_zero() => self.enqueue(lease.id),
            Verdict::RetryAfter(_) => self.hold_back(lease.id),
            Verdict::Done => drop(self.known.remove(&lease.id)),
            Verdict::Reject(_) => {
                self.dead += 1;
                self.known.remove(&lease.id);
            }
        }
    }

    fn pass_time(&mut self) {
        for known in self.known.values_mut() {
            match &mut known.place {
                Place::Delayed { passed } | Place::Leased { passed } => *passed = true,
                Place::Ready => {}
            }
        }
    }

    fn counts(&self) -> (u64, u64, u64, u64) {
        let count = |of: fn(&Place) -> bool| self.known.values().filter(|known| of(&known.place)).count() as u64;
        let (delayed, leased) =
            (count(|place| matches!(place, Place::Delayed { .. })), count(|place| matches!(place, Place::Leased { .. })));
        (count(|place| *place == Place::Ready), delayed, leased, self.dead)
    }
}

/// The broker, and every lease it ever gave, beside the model.
struct Run<'a> {
    world: &'a World,
    node: Arc<dyn Broker>,
    pool: Vec<Submission>,
    leases: Vec<Lease>,
    model: Model,
}

impl Run<'_> {
    async fn step(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Submit(number, delayed) => self.submit(*number, *delayed).await,
            Operation::Receive(wanted) => self.receive(*wanted).await?,
            Operation::Settle(number, verdict) => self.settle(*number, verdict).await,
            Operation::Extend(number) => self.extend(*number).await?,
            Operation::PassTime => {
                self.world.pass_time().await;
                self.model.pass_time();
            }
        }
        let backlog = self.node.backlog(&self.world.tenant).await.unwrap();
        prop_assert_eq!((backlog.ready, backlog.delayed, backlog.leased, backlog.dead), self.model.counts());
        Ok(())
    }

    async fn submit(&mut self, number: usize, delayed: bool) {
        let delay = if delayed { Duration::from_secs(60) } else { Duration::ZERO };
        let submission = Submission { delay, ..self.pool[number].clone() };
        self.model.submit(submission.request.id, submission.request.priority, delayed);
        self.node.submit(&[submission]).await.unwrap();
    }

    async fn receive(&mut self, wanted: usize) -> Result<(), TestCaseError> {
        let deliveries = take(&*self.node, wanted).await;
        let got: Vec<_> = deliveries.iter().map(|delivery| (delivery.lease.id, delivery.lease.fence, delivery.expiries)).collect();
        prop_assert_eq!(got, self.model.receive(wanted));
        self.leases.extend(deliveries.into_iter().map(|delivery| delivery.lease));
        Ok(())
    }

    async fn settle(&mut self, number: usize, verdict: &Verdict) {
        if let Some(lease) = self.lease(number) {
            self.model.settle(&lease, verdict);
            self.node
                .settle(&[Settlement { lease, request: None, verdict: verdict.clone(), cost: Duration::from_millis(1) }])
                .await
                .unwrap();
        }
    }

    async fn extend(&mut self, number: usize) -> Result<(), TestCaseError> {
        let Some(lease) = self.lease(number) else { return Ok(()) };
        let held = self.model.holder(&lease).map(|known| known.place = Place::Leased { passed: false });
        let lost = self.node.extend(std::slice::from_ref(&lease)).await.unwrap();
        prop_assert_eq!(lost.is_empty(), held.is_some());
        Ok(())
    }

    fn lease(&self, number: usize) -> Option<Lease> {
        self.leases.get(number.checked_rem(self.leases.len())?).cloned()
    }

    /// All that is left can still be received and settled, and then nothing is kept.
    async fn finish(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..2 {
            self.world.pass_time().await;
            self.model.pass_time();
            self.receive(POOL).await?;
        }
        for number in 0..self.leases.len() {
            self.settle(number, &Verdict::Done).await;
        }
        prop_assert_eq!(self.world.kept().await, [""; 0]);
        Ok(())
    }
}

async fn run(world: &World, operations: &[Operation]) -> Result<(), TestCaseError> {
    let node = world.node().await;
    let pool = (0..POOL).map(|number| world.request_with_priority([0, 5, 5, 5, 5, 5, 9, 10][number])).collect();
    let mut run = Run { world, node, pool, leases: Vec::new(), model: Model::default() };
    for operation in operations {
        run.step(operation).await?;
    }
    run.finish().await
}

async fn any_sequence_of_operations_does_what_a_simple_queue_does(world: World) {
    let runtime = tokio::runtime::Handle::current();
    let check = |operations: Vec<Operation>| runtime.block_on(run(&world.afresh(), &operations));
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let tested = tokio::task::block_in_place(|| TestRunner::new(config).run(&prop::collection::vec(operation(), 1..60), check));
    tested.unwrap_or_else(|error| panic!("{error}"));
}
