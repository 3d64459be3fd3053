//! A Redis that is away, read-only, slow or full.

use mogbox_fixtures::RedisServer;

use super::Outlived;
use crate::support::Node;

const DURABLE: [&str; 6] = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

/// No retries: an outage is no crash, and must not count as one where the leases outlive it.
fn node(redis: &RedisServer, lease: &str) -> Node {
    Node::redis(&redis.url(), &["--lease", lease, "--limit", "retries=0"])
}

/// Leads a node through an outage that begins and ends with these commands.
#[track_caller]
fn outlives(begin: &[&str], reason: &str, end: &[&str]) {
    let redis = RedisServer::start().unwrap();
    let node = node(&redis, "30s");
    let outage = Outlived::begins(&node);
    command(&redis, begin);
    outage.is_told(reason);
    command(&redis, end);
    outage.ends_well();
}

fn command(redis: &RedisServer, words: &[&str]) {
    let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let (name, args) = words.split_first().unwrap();
    redis::cmd(name).arg(args).query::<()>(&mut connection).unwrap();
}

#[test]
fn a_server_that_is_killed_and_restarted() {
    let mut redis = RedisServer::start_with(&DURABLE).unwrap();
    let node = node(&redis, "30s");
    let outage = Outlived::begins(&node);
    redis.kill();
    outage.is_told("unavailable");
    redis.restart().unwrap();
    outage.ends_well();
}

#[test]
fn a_server_that_became_a_replica() {
    outlives(&["REPLICAOF", "127.0.0.1", "1"], "read only replica", &["REPLICAOF", "NO", "ONE"]);
}

#[test]
fn a_server_that_lacks_its_replicas() {
    outlives(&["CONFIG", "SET", "min-replicas-to-write", "1"], "NOREPLICAS", &["CONFIG", "SET", "min-replicas-to-write", "0"]);
}

#[test]
fn a_server_that_holds_writes_back() {
    outlives(&["CLIENT", "PAUSE", "600000", "WRITE"], "no answer within 2 s", &["CLIENT", "UNPAUSE"]);
}

#[test]
fn a_server_that_answers_nothing() {
    let redis = RedisServer::start().unwrap();
    let node = node(&redis, "60s");
    let outage = Outlived::begins(&node);
    redis.suspend().unwrap();
    outage.is_told("no answer within 2 s");
    redis.resume().unwrap();
    outage.ends_well();
}

/// It lasts for several leases: what is held stays held, and nothing more is taken.
#[test]
fn a_server_that_is_full() {
    let redis = RedisServer::start().unwrap();
    let node = node(&redis, "6s");
    let outage = Outlived::begins(&node);
    command(&redis, &["CONFIG", "SET", "maxmemory", "1"]);
    outage.is_told("OOM");
    node.logs("the store did not answer; trying again", 12);
    command(&redis, &["CONFIG", "SET", "maxmemory", "0"]);
    outage.ends_well();
}
