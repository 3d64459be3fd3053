//! Memory: more than there is, all at once or bit by bit, in memories or in tables.

use mogbox_fixtures::guest::Guest;
use serde_json::json;

use super::victim::Victim;

const OVER: &str = "over the bound memory of 64MiB; a node started with --limit memory=VALUE raises it, up to 4GiB";

#[test]
fn four_gibibytes_in_pieces_are_refused_with_the_bound_named() {
    Victim::with_defaults().ends("hostile.allocate", json!([4_294_967_296_u64]), "FAILURE", OVER);
}

#[test]
fn four_gibibytes_at_once_are_refused_and_a_guest_can_bear_it() {
    Victim::with_defaults().ends("hostile.grow", json!([65_535]), "FAILURE", "no 65535 pages");
    Victim::with_defaults().ends("hostile.grow", json!([16]), "SUCCESS", "");
}

#[test]
fn growth_in_small_steps_gets_no_further() {
    let creeping = "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable";
    let request = Victim::with_defaults().guest_ends("creeping", &Guest::running(creeping), "FAILURE", OVER);
    assert_eq!(request["report"]["receipt"]["peak_memory"], json!(64 << 20));
}

#[test]
fn a_guest_that_goes_on_after_it_was_refused_keeps_asking_in_vain() {
    let asking = "(loop $again (drop (memory.grow (i32.const 2000))) (br $again)) unreachable";
    Victim::short_of_cpu_time().guest_ends("asking", &Guest::running(asking), "FAILURE", "over the bound cpu-time of 100ms");
}

#[test]
fn memory_that_is_larger_than_allowed_from_the_start_is_refused_with_its_module() {
    for pages in [1_025, 65_536] {
        let module = Guest { pages, ..Guest::default() }.build();
        Victim::with_defaults().refuses(&module, "its describe went over the bound memory of 64MiB");
    }
    Victim::with_defaults().guest_ends(
        "largest",
        &Guest { pages: 1_024, ..Guest::running("(call $ok (i32.const 65) (i32.const 2))") },
        "SUCCESS",
        "",
    );
}

#[test]
fn a_table_grows_to_its_bound_and_the_guest_is_told() {
    let grow = |entries: u32| {
        let body = format!(
            "(loop $again (local.set $i (table.grow $t (ref.null func) (i32.const {entries})))
               (br_if $again (i32.and (i32.gt_s (local.get $i) (i32.const 0)) (i32.lt_u (i32.const {entries}) (i32.const 100000)))))
             (if (i32.ge_s (local.get $i) (i32.const 0)) (then unreachable))
             (if (i32.gt_u (table.size $t) (i32.const 65536)) (then unreachable))
             (call $ok (i32.const 65) (i32.const 2))"
        );
        let guest = Guest { items: "(table $t 1 funcref)", ..Guest::running(&body) };
        Victim::with_defaults().guest_ends("table", &guest, "SUCCESS", "");
    };
    // In small steps, then far too many at once, then as many as a number can say.
    [100, 4_000_000, u32::MAX].into_iter().for_each(grow);
}

#[test]
fn tables_of_more_entries_than_allowed_are_refused_with_their_module() {
    let module = Guest { items: "(table $t 100000 funcref)", ..Guest::default() }.build();
    Victim::with_defaults().refuses(&module, "table index 0 has a minimum element size of 100000 which exceeds the limit of 65536");
}

/// A component of so many instances of a core module.
fn component_of(instances: usize, module: &str) -> Vec<u8> {
    let instances = "(core instance (instantiate $m))".repeat(instances);
    let text =
        format!(r#"(component (core module $m {module}) {instances} (instance $i) (export "mogbox:task/tasks@0.1.0" (instance $i)))"#);
    wat::parse_str(text).unwrap()
}

#[test]
fn a_component_of_too_many_memories_tables_or_instances_is_refused() {
    let victim = Victim::with_defaults();
    victim.refuses(&component_of(5, "(memory 1)"), "5");
    victim.refuses(&component_of(17, "(table 1 funcref)"), "17");
    victim.refuses(&component_of(65, ""), "65");
    victim.refuses(&component_of(900, "(memory 1)"), "900");
    victim.refuses(&component_of(50_000, ""), "instances");
}

#[test]
fn several_memories_in_one_module_are_refused() {
    let module = wat::parse_str("(component (core module (memory 1) (memory 1)))").unwrap();
    Victim::with_defaults().refuses(&module, "multiple memories");
}
