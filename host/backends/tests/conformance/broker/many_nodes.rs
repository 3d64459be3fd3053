//! Several nodes on one backend share the work, and never hold one request at the same time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mogbox_core::broker::{Broker, Delivery, Settlement, Wanted};
use mogbox_core::ids::RequestId;

use super::world::World;
use crate::harness::on_both;

on_both! { World;
    two_nodes_never_hold_one_request_at_the_same_time
}

const REQUESTS: usize = 300;

#[derive(Default)]
struct Ledger {
    held: Mutex<HashSet<RequestId>>,
    over: AtomicUsize,
}

impl Ledger {
    fn took(&self, deliveries: &[Delivery]) {
        let mut held = self.held.lock().unwrap();
        for delivery in deliveries {
            assert!(held.insert(delivery.lease.id), "{} is held twice", delivery.lease.id);
        }
    }

    fn decide(&self, delivery: Delivery) -> (Settlement, bool) {
        assert!(self.held.lock().unwrap().remove(&delivery.lease.id));
        let cost = Duration::from_micros(rand::random_range(0..3_000));
        match rand::random_range(0..10) {
            0 => (delivery.give_back(cost), false),
            1 => (delivery.retry_after(Duration::from_millis(rand::random_range(0..5)), cost), false),
            2 => (delivery.reject("no".to_owned(), cost), true),
            _ => (delivery.done(cost), true),
        }
    }
}

async fn work(node: Arc<dyn Broker>, ledger: Arc<Ledger>) {
    while ledger.over.load(Ordering::SeqCst) < REQUESTS {
        let deliveries = node.receive(&Wanted::any(rand::random_range(1..8)), Duration::from_millis(50)).await.unwrap();
        ledger.took(&deliveries);
        node.extend(&deliveries.iter().map(|delivery| delivery.lease.clone()).collect::<Vec<_>>()).await.unwrap();
        let (settlements, over): (Vec<_>, Vec<_>) = deliveries.into_iter().map(|delivery| ledger.decide(delivery)).unzip();
        node.settle(&settlements).await.unwrap();
        ledger.over.fetch_add(over.into_iter().filter(|over| *over).count(), Ordering::SeqCst);
    }
}

async fn two_nodes_never_hold_one_request_at_the_same_time(world: World) {
    let nodes = [world.node().await, world.node().await];
    let ledger = Arc::new(Ledger::default());
    let workers: Vec<_> = nodes.iter().chain(&nodes).map(|node| tokio::spawn(work(Arc::clone(node), Arc::clone(&ledger)))).collect();
    for chunk in world.requests_of(&world.tenant, REQUESTS).chunks(10) {
        nodes[0].submit(chunk).await.unwrap();
    }
    for worker in workers {
        tokio::time::timeout(Duration::from_secs(60), worker).await.expect("all requests end").unwrap();
    }
    assert_eq!(ledger.over.load(Ordering::SeqCst), REQUESTS, "each ends once");
    assert_eq!(world.kept().await, [""; 0]);
}
