//! Embedded only: a process that ends holds nothing any more, and the next one need not wait until its leases have run out.

use std::path::Path;
use std::time::Duration;

use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::embedded::Database;
use mogbox_backends::embedded::broker::EmbeddedBroker;
use mogbox_core::broker::{Backlog, Broker, Delivery, Submission, Wanted};
use mogbox_core::ids::{QueueName, Tenant};
use mogbox_core::request::Request;

use super::world::{delivered, ids, take};

/// A broker as a process that just started has it, whose leases no test waits out.
fn opened(folder: &Path) -> EmbeddedBroker {
    let settings = BrokerSettings { lease: Duration::from_secs(3_600), ..BrokerSettings::default() };
    EmbeddedBroker::new(Database::open(folder).unwrap(), settings).unwrap()
}

fn request(delay: Duration) -> Submission {
    let request = Request::new("example.add".parse().unwrap());
    Submission { tenant: Tenant::default(), queue: QueueName::default(), request: request.into(), delay }
}

fn counts(deliveries: &[Delivery]) -> Vec<(u32, u32)> {
    deliveries.iter().map(|delivery| (delivery.lease.fence, delivery.expiries)).collect()
}

#[tokio::test]
async fn what_an_earlier_process_held_is_handed_out_at_once_and_its_end_counts() {
    let folder = tempfile::tempdir().unwrap();
    let requests = [0; 3].map(|_| request(Duration::ZERO));
    let broker = opened(folder.path());
    broker.submit(&requests).await.unwrap();
    broker.submit(&[request(Duration::from_secs(3_600))]).await.unwrap();
    let mut held = take(&broker, 3).await;
    broker.set_waiting(&held[1].lease, true).await.unwrap();
    broker.settle(&[held.remove(0).done(Duration::ZERO)]).await.unwrap();
    drop(broker);
    let left = ids(&requests[1..]);
    for ends in 1..=2 {
        let broker = opened(folder.path());
        let again = take(&broker, 4).await;
        assert_eq!((delivered(&again), counts(&again)), (left.clone(), vec![(ends + 1, ends); 2]));
        assert_eq!(broker.backlog(&Tenant::default()).await.unwrap(), Backlog { leased: 2, delayed: 1, ..Backlog::default() });
    }
}

#[tokio::test]
async fn what_was_not_handed_out_counts_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let broker = opened(folder.path());
    broker.submit(&[0; 2].map(|_| request(Duration::ZERO))).await.unwrap();
    let given_back = take(&broker, 1).await.remove(0);
    broker.settle(&[given_back.give_back(Duration::ZERO)]).await.unwrap();
    drop(broker);
    assert_eq!(counts(&take(&opened(folder.path()), 2).await), [(2, 0), (1, 0)]);
}

#[tokio::test]
async fn more_than_a_hundred_that_a_process_held_come_back_in_lots() {
    let folder = tempfile::tempdir().unwrap();
    let broker = opened(folder.path());
    let requests: Vec<_> = (0..250).map(|_| request(Duration::ZERO)).collect();
    broker.submit(&requests).await.unwrap();
    assert_eq!(take(&broker, 128).await.len() + take(&broker, 128).await.len(), 250);
    drop(broker);
    let broker = opened(folder.path());
    let mut again = 0;
    while again < 250 {
        let more = broker.receive(&Wanted::any(128), Duration::from_secs(20)).await.unwrap().len();
        assert!(more > 0, "{again} of 250 came back");
        again += more;
    }
}
