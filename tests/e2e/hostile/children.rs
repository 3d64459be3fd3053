//! Children: too many, too deep, and waits that cannot end.

use serde_json::json;

use super::victim::Victim;

#[test]
fn a_hundred_thousand_children_are_refused_after_the_first_thousand() {
    let text = "over the bound children of 1000; a node started with --limit children=VALUE raises it, up to 100000";
    let request = Victim::with_defaults().ends("hostile.children", json!([100_000]), "FAILURE", text);
    assert_eq!(request["children"].as_array().unwrap().len(), 1_000);
}

#[test]
fn children_of_which_each_is_malformed_are_refused_and_the_guest_is_told() {
    let victim = Victim::with_defaults();
    victim.ends("hostile.child_with_arguments", json!([1_001]), "FAILURE", "1001 arguments, at most 1000 are allowed: pass a list instead");
    victim.ends("hostile.child_with_arguments", json!([1_000]), "SUCCESS", "");
}

#[test]
fn a_guest_that_waits_for_itself_is_told_that_it_is_no_child_of_its_own() {
    Victim::with_defaults().ends("hostile.wait_for_itself", json!([]), "FAILURE", "is no child of request");
}

#[test]
fn parent_and_child_cannot_wait_for_each_other() {
    let request = Victim::with_defaults().ends("hostile.wait_for_each_other", json!([]), "SUCCESS", "");
    assert!(request["value"].as_str().unwrap().contains("is no child of request"), "{}", request["value"]);
}

#[test]
fn a_guest_that_waits_for_ever_ends_at_the_bound_on_wall_time() {
    let text = "over the bound wall-time of 4s; a node started with --limit wall-time=VALUE raises it, up to 24h";
    Victim::short_of_wall_time().ends("hostile.wait_for_ever", json!([]), "FAILURE", text);
}

#[test]
fn waiting_for_too_many_or_for_one_twice_is_refused() {
    let victim = Victim::with_defaults();
    victim.ends("hostile.wait_for_many", json!([1_001]), "FAILURE", "1001 ids to wait for, at most 1000 are allowed");
    victim.ends("hostile.wait_for_many", json!([50_000]), "FAILURE", "50000 ids to wait for, at most 1000 are allowed");
    victim.ends("hostile.wait_for_many", json!([100_000]), "FAILURE", "one call brings more than 5505024 bytes to the host");
    victim.ends("hostile.wait_for_many", json!([2]), "FAILURE", "is there more than once: expected each child once");
}

#[test]
fn a_guest_that_submits_itself_without_end_ends_at_the_bound_on_depth() {
    let text = "too many ancestors: over the bound depth; a node started with --limit depth=VALUE raises it";
    Victim::with_defaults().ends("hostile.descend", json!([]), "FAILURE", text);
}

/// A guest that waits gives its turn to others, but not its memory: a family of thirty-one would hold three times the node's cap.
#[test]
fn families_that_fill_their_memory_and_wait_take_no_more_than_the_node_has_for_guests() {
    let victim = Victim::start(&["--guest-memory", "300MiB", "--limit", "wall-time=5s"]);
    let id = victim.hostile().submit("hostile.hoard", json!([50 << 20, 4]), json!({}));
    let request = victim.hostile().wait(&id);
    assert!(["SUCCESS", "FAILURE"].map(|state| json!(state)).contains(&request["state"]), "{request}");
    victim.still_serves("a family that hoards");
}

/// Half of that memory is for others, also while the family lives: a guest that did not fit would start a second time, later.
#[test]
fn a_family_that_hoards_keeps_no_other_tenant_from_running_meanwhile() {
    let victim = Victim::start(&["--guest-memory", "300MiB"]);
    let id = victim.hostile().submit("hostile.hoard", json!([50 << 20, 4]), json!({}));
    victim.logs("the guests of tenant hostile that are alive on this node may hold 150MiB of memory together", 5);
    let request = victim.tenant("honest").run("example.add", json!([1, 2]));
    assert_eq!((&request["state"], &request["number_of_starts"]), (&json!("SUCCESS"), &json!(1)), "{request}");
    assert_eq!(victim.hostile().request(&id)["state"], "SUSPENDED");
}
