//! State: kept by key, within bounds, apart for each request.

use mogbox_core::ids::RequestId;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::store::Written;

use super::world::{World, json};
use crate::harness::on_both;

on_both! { World;
    a_value_is_kept_until_it_is_popped_or_replaced
    clearing_removes_every_key_of_one_request
    state_over_its_bounds_is_refused
}

async fn a_value_is_kept_until_it_is_popped_or_replaced(world: World) {
    let (state, tenant, id, limits) = (&world.state, &world.tenant, RequestId::random(), Limits::default());
    assert_eq!(state.get(tenant, id, "k").await.unwrap(), None);
    assert_eq!(state.set(tenant, id, "k", &json("1.0"), &limits).await.unwrap(), Written::Stored);
    assert_eq!(state.set(tenant, id, "k", &json(r#"{"é":[2]}"#), &limits).await.unwrap(), Written::Stored);
    assert_eq!(state.get(tenant, id, "k").await.unwrap(), Some(json(r#"{"é":[2]}"#)));
    assert_eq!(state.pop(tenant, id, "k").await.unwrap(), Some(json(r#"{"é":[2]}"#)));
    assert_eq!(state.pop(tenant, id, "k").await.unwrap(), None);
    assert_eq!(state.get(tenant, id, "k").await.unwrap(), None);
}

async fn clearing_removes_every_key_of_one_request(world: World) {
    let (state, tenant, limits) = (&world.state, &world.tenant, Limits::default());
    let (one, two) = (RequestId::random(), RequestId::random());
    for (id, key) in [(one, "a"), (one, "b"), (two, "a")] {
        state.set(tenant, id, key, &json("1"), &limits).await.unwrap();
    }
    state.clear(tenant, one).await.unwrap();
    state.clear(tenant, one).await.unwrap();
    assert_eq!(state.get(tenant, one, "a").await.unwrap(), None);
    assert_eq!(state.get(tenant, one, "b").await.unwrap(), None);
    assert_eq!(state.get(tenant, two, "a").await.unwrap(), Some(json("1")));
    state.set(tenant, one, "a", &json("2"), &limits).await.unwrap();
    assert_eq!(state.get(tenant, one, "a").await.unwrap(), Some(json("2")));
}

async fn state_over_its_bounds_is_refused(world: World) {
    let (state, tenant, id) = (&world.state, &world.tenant, RequestId::random());
    let limits = Limits { state_keys: 2, state: 12, ..Limits::default() };
    let set = async |key: &str, value: &str| state.set(tenant, id, key, &json(value), &limits).await.unwrap();
    assert_eq!(set("ab", "123").await, Written::Stored);
    assert_eq!(set("cd", "123456").await, Written::OverBound(Bound::State));
    assert_eq!(set("cd", "12345").await, Written::Stored);
    assert_eq!(set("e", "1").await, Written::OverBound(Bound::StateKeys));
    assert_eq!(set("ab", "1234").await, Written::OverBound(Bound::State));
    assert_eq!(set("ab", "1").await, Written::Stored);
    assert_eq!(state.get(tenant, id, "cd").await.unwrap(), Some(json("12345")));
}
