//! Sums of what tenants used, by day.

use jiff::civil::date;
use mogbox_core::usage::Usage;

use super::world::World;
use crate::harness::{fresh_tenant, on_both};

on_both! { World;
    what_is_used_adds_up_by_tenant_and_day
}

async fn what_is_used_adds_up_by_tenant_and_day(world: World) {
    let (usage, tenant, other) = (&world.usage, &world.tenant, fresh_tenant());
    let [yesterday, today] = [date(2026, 2, 28), date(2026, 3, 1)];
    let used = Usage { attempts: 2, requests: 1, cpu_us: 3_000, memory_mib_ms: 64, outgoing_bytes: 0, stored_bytes: 1 << 40 };
    usage.add(yesterday, &[(tenant.clone(), used)]).await.unwrap();
    usage.add(today, &[(tenant.clone(), used), (other.clone(), used)]).await.unwrap();
    usage.add(today, &[(tenant.clone(), used)]).await.unwrap();
    let days = [today, yesterday, date(2026, 2, 27)];
    assert_eq!(usage.read(tenant, &days).await.unwrap(), [used.and(used), used, Usage::default()]);
    assert_eq!(usage.read(&other, &days).await.unwrap(), [used, Usage::default(), Usage::default()]);
    assert_eq!(usage.read(tenant, &[]).await.unwrap(), []);
}
