//! All kinds of attack at the same time on one node, each by a tenant of its own, while an honest tenant works.

use mogbox_fixtures::guest::Guest;
use serde_json::{Value, json};

use super::victim::{Victim, message};
use crate::support::guests;

/// Of each group: a task, its arguments, and what is said of it.
fn attacks() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("hostile.loop_for_ever", json!([]), "over the bound cpu-time"),
        ("hostile.recurse", json!([]), "out of bounds memory access"),
        ("hostile.allocate", json!([4_294_967_296_u64]), "over the bound memory"),
        ("hostile.big_result", json!([10_000_000]), "over the bound result"),
        ("hostile.log_flood", json!([20, 3 << 20]), ""),
        ("hostile.print_flood", json!([1_000_000]), "over the bound"),
        ("hostile.metadata_calls", json!([1_000_000]), "over the bound"),
        ("hostile.set_metadata_over_bound", json!([10, 100_000]), "over the bound metadata"),
        ("hostile.state_over_bound", json!([10, 1_000_000]), "over the bound state"),
        ("hostile.children", json!([100_000]), "over the bound children"),
        ("hostile.wait_for_many", json!([50_000]), "ids to wait for"),
        ("hostile.descend", json!([]), "over the bound depth"),
        ("hostile.fail_at_length", json!([2 << 20, 2 << 20, 2 << 20]), "over the bound result"),
        ("hostile.retry_for_ever", json!([]), "given up after 3 retries"),
        ("hostile.store_deep_json", json!([100, true]), "nested deeper than 64"),
        ("hostile.raw", json!(["{\"open\": ["]), "the result is not valid JSON"),
    ]
}

/// Rounds of one attack, each after the other.
const ROUNDS: usize = 2;

#[test]
fn every_kind_of_attack_at_once_leaves_the_others_alone() {
    let victim = Victim::start(&["--limit", "cpu-time=3s", "--limit", "wall-time=60s"]);
    let (module, bad) = (std::fs::read(guests::GUEST_HOSTILE).unwrap(), Guest::default().build());
    let victim = &victim;
    victim.while_others_work(|| {
        std::thread::scope(|scope| {
            for (number, (task, args, text)) in attacks().into_iter().enumerate() {
                let api = victim.tenant(&format!("attacker-{number}"));
                let module = &module;
                scope.spawn(move || {
                    api.upload("guest", module).ok();
                    for _ in 0..ROUNDS {
                        let request = api.run(task, args.clone());
                        assert!(message(&request).contains(text), "{task}: {request}");
                    }
                });
            }
            for uploader in 0..4 {
                let (api, bad) = (victim.tenant(&format!("uploader-{uploader}")), &bad);
                scope.spawn(move || {
                    for cut in (8..bad.len() / 2).step_by(97) {
                        api.upload("guest", &bad[..cut]).problem(422, "module-refused");
                    }
                });
            }
        });
    });
    victim.still_serves("all attacks at once");
}
