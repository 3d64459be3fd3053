//! A node that is suspended past its leases and goes on as if no time had passed: it is refused, and what others did stays.

use mogbox_fixtures::RedisServer;
use serde_json::{Value, json};

use crate::support::{Node, guests};

/// A node whose lease on a running request ends while it is suspended, and another that takes the request over.
struct Suspended {
    late: Node,
    other: Node,
    id: String,
    _redis: RedisServer,
}

impl Suspended {
    fn while_it_works(steps: u64) -> Self {
        let redis = RedisServer::start().unwrap();
        let late = Node::redis(&redis.url(), &["--lease", "1s"]);
        let api = late.api("default");
        api.push(guests::GUEST_STORM);
        let id = api.submit("storm.work", json!([steps, 50]), json!({}));
        api.until(&id, "working", |request| request["metadata"]["step"].as_u64() >= Some(2));
        late.suspend();
        let other = Node::redis(&redis.url(), &["--lease", "60s"]);
        Self { late, other, id, _redis: redis }
    }

    fn request(&self) -> Value {
        self.other.api("default").request(&self.id)
    }

    /// The late node goes on, and has noticed that it is late: by its lease, or by a result that is final, whichever it sees first. It
    /// runs what comes next as ever.
    fn late_node_goes_on(&self) {
        self.late.resume();
        self.late.logs_any(&["left to the next holder of its lease", "the result is final already and stays as it is"], 1);
        assert_eq!(self.late.api("default").run("storm.work", json!([1, 1]))["state"], "SUCCESS");
    }
}

#[test]
fn a_node_that_is_late_does_not_disturb_the_one_that_took_over() {
    let world = Suspended::while_it_works(60);
    let api = world.other.api("default");
    let taken = api.until(&world.id, "taken over", |request| request["number_of_starts"] == 2);
    world.late_node_goes_on();
    let done = api.wait(&world.id);
    assert_eq!((&done["state"], &done["node_id"]), (&json!("SUCCESS"), &taken["node_id"]), "{done}");
    assert_eq!((&done["number_of_starts"], &done["number_of_stops"], &done["metadata"]["step"]), (&json!(2), &json!(1), &json!(60)));
}

#[test]
fn a_node_that_is_late_changes_nothing_about_what_is_done() {
    let world = Suspended::while_it_works(20);
    let done = world.other.api("default").wait(&world.id);
    assert_eq!(done["state"], "SUCCESS", "{done}");
    world.late_node_goes_on();
    assert_eq!(world.request(), done);
}

#[test]
fn a_node_that_is_late_changes_nothing_about_what_was_revoked() {
    let world = Suspended::while_it_works(400);
    let api = world.other.api("default");
    api.until(&world.id, "taken over", |request| request["number_of_starts"] == 2);
    api.post(&format!("/v1/requests/{}/revoke", world.id), &json!({})).ok();
    let revoked = world.request();
    assert_eq!(revoked["state"], "REVOKED");
    world.late_node_goes_on();
    assert_eq!(world.request(), revoked);
}
