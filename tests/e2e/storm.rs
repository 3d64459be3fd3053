//! Storms: nodes, or the servers that they share, are killed again and again while requests run. Nothing is lost, nothing is stuck,
//! and every request has one outcome.

mod crowd;
mod ledger;

use std::time::Duration;

use mogbox_fixtures::{RabbitServer, RedisServer};

use crate::support::{Node, guests};
use crowd::Crowd;
use ledger::Ledger;

/// Leases long enough that a busy machine keeps a lease, short enough that what a dead node held is soon run again; and no client that is
/// refused takes half a minute to submit again, so that none finds its request ended as lost.
const OPTIONS: [&str; 8] = ["--lease", "2s", "--concurrency", "6", "--limit", "retries=100", "--lost-after", "30s"];

const REQUESTS: usize = 2_000;

#[test]
fn nodes_that_are_killed_every_second_lose_nothing_and_leave_nothing_behind() {
    let redis = RedisServer::start().unwrap();
    // A node that starts again has its compiled modules: else the machine would compile more than it runs.
    let compiled = tempfile::tempdir().unwrap();
    let start = |place: usize| {
        let folder = compiled.path().join(place.to_string());
        Node::redis(&redis.url(), &[OPTIONS.as_slice(), &["--artifacts", folder.to_str().unwrap()]].concat())
    };
    let mut nodes = [0, 1, 2].map(start);
    let crowd = crowd(&nodes);
    let mut ledger = Ledger::of(&redis.url());
    let mut outcomes = ledger.listen();
    let strikes = crowd.storm(Duration::from_secs(1), |strike| {
        // A machine that is too busy to do anything in a second would see no end of it.
        outcomes.await_more(60, Duration::from_secs(30));
        let place = strike % nodes.len();
        nodes[place].kill();
        nodes[place] = start(place);
        crowd.moved(place, nodes[place].url());
    });
    ledger.check(&crowd, "nodes killed", strikes);
    outcomes.are_one_each(&crowd.ids());
}

/// `appendfsync always` makes the claim strict: Redis answers only what is on its disk. With `everysec` it may lose what it answered
/// in its last second, or two where the disk is slow, and a submitter's request with it.
#[test]
fn a_redis_that_is_killed_every_five_seconds_loses_nothing_that_was_acknowledged() {
    let durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    let mut redis = RedisServer::start_with(&durable).unwrap();
    let url = redis.url();
    let nodes = [0; 3].map(|_| Node::redis(&url, &OPTIONS));
    let crowd = crowd(&nodes);
    let strikes = crowd.storm(Duration::from_secs(5), |_| redis.restart().unwrap());
    Ledger::of(&url).check(&crowd, "times that Redis was killed", strikes);
}

/// Both servers keep what they acknowledged, and each is away for some seconds at a time.
#[test]
fn a_rabbitmq_and_a_redis_that_are_killed_in_turn_lose_nothing_that_was_acknowledged() {
    let durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    let (mut redis, mut rabbit) = (RedisServer::start_with(&durable).unwrap(), RabbitServer::start().unwrap());
    let amqp = rabbit.url();
    let options = [OPTIONS.as_slice(), &["--limit", "call-time=2m", "--amqp", &amqp, "--app", "default"]].concat();
    let url = redis.url();
    let nodes = [0; 3].map(|_| Node::redis(&url, &options));
    let crowd = crowd(&nodes);
    let (strikes_each, between) = (5, REQUESTS / 12);
    let struck = crowd.storm(Duration::from_millis(100), |strike| {
        if strike >= 2 * strikes_each {
            return;
        }
        crowd.await_taken((strike + 1) * between);
        if strike % 2 == 0 { rabbit.restart().unwrap() } else { redis.restart().unwrap() }
    });
    assert!(struck >= 2 * strikes_each, "all was over after {struck} strikes");
    Ledger::of(&url).check(&crowd, "times that RabbitMQ and Redis were killed, each", strikes_each);
}

fn crowd(nodes: &[Node; 3]) -> Crowd {
    nodes[0].api("default").push(guests::GUEST_STORM);
    Crowd::new(REQUESTS, nodes.iter().map(|node| node.url().to_owned()).collect())
}
