//! Nothing of one guest is seen by the next, whoever it belongs to.

use mogbox_core::Outcome;
use mogbox_runtime::{Allocation, EngineSettings};

use crate::guests::Guest;
use crate::world::{Run, World, json};

/// Looks for any byte that is not zero in 16 MiB of memory, in a global and in a table; then leaves its own everywhere.
const LOOK_AND_LEAVE: &str = r#"
  (drop (memory.grow (i32.const 256)))
  (local.set $i (i32.const 131072))
  (loop $again
    (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (return (call $ok (i32.const 1000) (i32.const 6)))))
    (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 16777216))))
  (if (global.get $mark) (then (return (call $ok (i32.const 1000) (i32.const 6)))))
  (if (i32.eqz (ref.is_null (table.get $t (i32.const 7)))) (then (return (call $ok (i32.const 1000) (i32.const 6)))))
  (memory.fill (i32.const 131072) (i32.const 0xaa) (i32.const 16646144))
  (global.set $mark (i32.const 1))
  (table.set $t (i32.const 7) (ref.func $left))
  (call $ok (i32.const 1006) (i32.const 7))"#;

fn looking(name: &str) -> Run {
    let items = format!(
        r#"(data (i32.const 1000) "\"seen\"\"clean\"") (global $mark (mut i32) (i32.const 0)) (table $t 16 funcref)
           (func $left) (elem declare func $left) (func ${name})"#
    );
    Run::of(&Guest { items: &items, ..Guest::running(LOOK_AND_LEAVE) })
}

#[tokio::test]
async fn the_next_guest_sees_no_byte_of_an_earlier_one() {
    for allocation in [Allocation::Pooling, Allocation::OnDemand] {
        // One place, so that each guest comes into the place of the one before.
        let world = World::with(&EngineSettings { max_instances: 1, allocation, ..EngineSettings::default() });
        for name in ["one", "one", "other", "one", "other", "other"] {
            assert_eq!(world.run(looking(name)).await.outcome, Outcome::Success(json("\"clean\"")), "{allocation:?}");
        }
    }
}

#[tokio::test]
async fn a_guest_that_was_cut_short_leaves_nothing_either() {
    let world = World::with(&EngineSettings { max_instances: 1, ..EngineSettings::default() });
    let body = format!("{} (loop $again (br $again)) unreachable", LOOK_AND_LEAVE.replace("(call $ok (i32.const 1006) (i32.const 7))", ""));
    let items = r#"(global $mark (mut i32) (i32.const 0)) (table $t 16 funcref) (func $left) (elem declare func $left)"#;
    let mut run = Run::of(&Guest { items, ..Guest::running(&body) });
    run.limits.wall_time = 50;
    assert!(matches!(world.run(run).await.outcome, Outcome::OverBound { .. }));
    assert_eq!(world.run(looking("next")).await.outcome, Outcome::Success(json("\"clean\"")));
}
