//! Outages: a store that is away, read-only, slow or full, and a node that was away itself. The node waits and says so, acknowledges
//! nothing that is not stored, and goes on when it is over.

mod disk;
mod late;
mod server;

use serde_json::{Value, json};

use crate::support::{Answer, Node, guests};

/// A node through an outage, with a request that runs when it begins.
struct Outlived<'a> {
    node: &'a Node,
    running: String,
    refused: Value,
}

impl<'a> Outlived<'a> {
    fn begins(node: &'a Node) -> Self {
        let api = node.api("default");
        api.push(guests::GUEST_STORM);
        let running = api.submit("storm.sleep", json!([2_000]), json!({}));
        api.until(&running, "running", |request| request["state"] == "RUNNING");
        let refused = json!({ "id": mogbox_core::RequestId::random(), "name": "storm.work", "args": [1, 1] });
        Self { node, running, refused }
    }

    /// The node lives, is not ready for this reason, and takes nothing.
    #[track_caller]
    fn is_told(&self, reason: &str) {
        let detail = self.node.answers_ready_with(503);
        assert!(detail.contains(reason), "{detail}");
        let api = self.node.api("default");
        assert_eq!(api.get("/healthz").status, 200);
        self.submit().problem(503, "unavailable");
    }

    fn submit(&self) -> Answer {
        self.node.api("default").post("/v1/requests", &self.refused)
    }

    /// All is well again: what ran has ended, having run once, and what was refused can be submitted.
    #[track_caller]
    fn ends_well(self) {
        self.node.answers_ready_with(200);
        let api = self.node.api("default");
        let done = api.wait(&self.running);
        assert_eq!((&done["state"], &done["number_of_starts"]), (&json!("SUCCESS"), &json!(1)), "{done} {}", self.node.log());
        self.submit().ok();
        assert_eq!(api.wait(self.refused["id"].as_str().unwrap())["state"], "SUCCESS");
    }
}
