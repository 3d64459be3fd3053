//! What a tenant may be granted: requests over WASI's HTTP, and WASI's configuration with secrets.

use mogbox_core::config::{SecretKey, TenantConfig};
use mogbox_core::{Grants, Limits, Outcome, Tenant};

use crate::guests::{CONFIG, Guest, HTTP};
use crate::world::{Run, World, json};

/// Reads the key at address 1000, of two bytes, and returns what stands there, in which is one pair of quotes.
const READ: &str = r#"
  (call $get_config (i32.const 1000) (i32.const 2) (i32.const 256))
  (if (i32.or (i32.load8_u (i32.const 256)) (i32.eqz (i32.load8_u (i32.const 260)))) (then unreachable))
  (call $ok (i32.load (i32.const 264)) (i32.load (i32.const 268)))"#;

fn reading() -> Guest<'static> {
    Guest { world: "with-wasi", imports: CONFIG, items: r#"(data (i32.const 1000) "k1")"#, ..Guest::running(READ) }
}

/// The grants of a tenant with a secret under `k1`.
fn secret(tenant: &Tenant, text: &str) -> Grants {
    let key = SecretKey::random();
    let secrets = [("k1".to_owned(), key.seal(tenant, "k1", text).unwrap())].into();
    let config = TenantConfig { secrets, ..TenantConfig::default() }.open(tenant, Some(&key)).unwrap();
    Grants { config: config.into(), ..Grants::default() }
}

#[tokio::test]
async fn a_guest_reads_its_tenants_secret_and_nothing_else_shows_it() {
    let world = World::new();
    let run = Run::of(&reading());
    let run = Run { grants: secret(&run.tenant, "\"hunter2\""), ..run };
    let execution = world.survives(run).await;
    assert_eq!(execution.outcome, Outcome::Success(json("\"hunter2\"")));
    assert!(!format!("{:?} {:?}", execution.receipt, execution.log).contains("hunter2"));
    assert!(execution.receipt.host_bytes >= 11 && execution.receipt.host_calls == 1, "{:?}", execution.receipt);
}

#[tokio::test]
async fn a_configuration_that_is_read_over_and_over_ends_at_the_bound_on_host_bytes() {
    let world = World::new();
    let body = "(loop $again (call $get_all_config (i32.const 256)) (global.set $top (i32.const 65536)) (br $again)) unreachable";
    let run = Run::of(&Guest { world: "with-wasi", imports: CONFIG, ..Guest::running(body) });
    let execution = world.survives(run.within(Limits { host_bytes: 1 << 20, ..Limits::default() })).await;
    let Outcome::OverBound { bound, .. } = &execution.outcome else { panic!("{:?}", execution.outcome) };
    assert_eq!(bound.name(), "host-bytes");
    assert!(execution.receipt.host_bytes <= (1 << 20) + 20_000, "{}", execution.receipt.host_bytes);
}

#[tokio::test]
async fn calls_of_wasis_http_count_as_calls_of_the_host() {
    let world = World::new();
    let body = "(loop $again (call $drop_fields (call $fields)) (br $again)) unreachable";
    let run = Run::of(&Guest { world: "with-wasi", imports: HTTP, ..Guest::running(body) });
    let execution = world.survives(run.within(Limits { host_calls: 1_000, ..Limits::default() })).await;
    let Outcome::OverBound { bound, .. } = &execution.outcome else { panic!("{:?}", execution.outcome) };
    assert_eq!(bound.name(), "host-calls");
}

#[tokio::test]
async fn a_guest_that_describes_itself_has_no_configuration_and_sends_nothing() {
    let world = World::new();
    let asks = "(call $get_config (i32.const 64) (i32.const 1) (i32.const 256))
        (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable)) (i32.const 128)";
    let guest = Guest { world: "with-wasi", imports: CONFIG, describe: asks, ..Guest::default() };
    let described = mogbox_core::Executor::inspect(world.sandbox.as_ref(), guest.build().into(), &Limits::default()).await;
    assert_eq!(described.unwrap().tasks.len(), 1);
}
