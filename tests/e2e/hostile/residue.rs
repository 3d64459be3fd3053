//! What one tenant's guest leaves behind is not there for another tenant's.

use mogbox_fixtures::residue::{Act, component};
use serde_json::json;

use super::victim::{Victim, message};

#[test]
fn no_tenant_sees_a_byte_of_another() {
    let victim = Victim::short_of_cpu_time();
    let (keeper, spy) = (victim.tenant("keeper"), victim.tenant("spy"));
    // Both push the same module, as the engine gives a guest the place that one of its module had before.
    let module = component("shared", 250);
    keeper.upload("guest", &module).ok();
    spy.upload("guest", &module).ok();
    for turn in 0..60 {
        let (act, end) = [(Act::Leave, ""), (Act::LeaveAndTrap, "unreachable"), (Act::LeaveAndLoop, "over the bound cpu-time")][turn % 3];
        let left = keeper.run("t", json!([act.argument()]));
        assert!(message(&left).contains(end), "turn {turn}: {left}");
        assert_eq!(left["value"], if act == Act::Leave { json!("clean") } else { json!(null) }, "turn {turn}: {left}");
        let seen = spy.run("t", json!([Act::Look.argument()]));
        assert_eq!(seen["value"], json!("clean"), "turn {turn}: {seen}");
    }
    victim.still_serves("secrets");
}
