//! Metadata: all entries of a write or none, within bounds, by who may write.

use mogbox_core::entries::Entries;
use mogbox_core::ids::RequestId;
use mogbox_core::json::Json;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::result::State;
use mogbox_core::store::Written;

use super::world::{World, entries, finish, json, now, request, start};
use crate::harness::on_both;

on_both! { World;
    entries_are_added_and_replaced_and_read_sorted
    a_write_over_the_bound_on_keys_stores_nothing
    a_write_over_the_bound_on_bytes_stores_nothing
    writers_of_different_keys_lose_nothing
    writers_at_the_bound_do_not_pass_it_together
    an_attempt_that_lost_its_request_writes_nothing
    somebody_outside_writes_at_any_time
    a_result_that_is_not_there_has_no_metadata
}

async fn set(world: &World, id: RequestId, fence: Option<u32>, new: &Entries, limits: &Limits) -> Written {
    world.results.set_metadata(&world.tenant, id, fence, new, limits).await.unwrap()
}

async fn stored(world: &World, id: RequestId) -> Entries {
    world.results.metadata(&world.tenant, id).await.unwrap().expect("there is a result")
}

async fn entries_are_added_and_replaced_and_read_sorted(world: World) {
    let (id, limits) = (world.submitted().await, Limits::default());
    assert!(stored(&world, id).await.is_empty());
    assert_eq!(set(&world, id, None, &entries([("b", "1.0"), ("ä", r#""ü""#)]), &limits).await, Written::Stored);
    assert_eq!(set(&world, id, None, &entries([("b", "null"), ("a", "[ 1 ]")]), &limits).await, Written::Stored);
    assert_eq!(set(&world, id, None, &Entries::new(), &limits).await, Written::Stored);
    let expected = [("a", "[ 1 ]"), ("b", "null"), ("ä", r#""ü""#)];
    let found = stored(&world, id).await;
    assert_eq!(found.iter().map(|(key, value)| (key, value.as_str())).collect::<Vec<_>>(), expected);
    for (key, value) in [("ä", Some(r#""ü""#)), ("b", Some("null")), ("c", None)] {
        let entry = world.results.metadata_entry(&world.tenant, id, key).await.unwrap().expect("there is a result");
        assert_eq!(entry.as_ref().map(Json::as_str), value, "{key}");
    }
}

async fn a_write_over_the_bound_on_keys_stores_nothing(world: World) {
    let mut submitted = request();
    submitted.metadata = entries([("a", "1"), ("b", "2")]);
    world.results.create(&world.tenant, &submitted, now()).await.unwrap();
    let (id, limits) = (submitted.id, Limits { metadata_keys: 3, ..Limits::default() });
    let over = Written::OverBound(Bound::MetadataKeys);
    assert_eq!(set(&world, id, None, &entries([("a", "9"), ("c", "3"), ("d", "4")]), &limits).await, over);
    assert_eq!(stored(&world, id).await, submitted.metadata);
    assert_eq!(set(&world, id, None, &entries([("a", "9"), ("b", "9"), ("c", "3")]), &limits).await, Written::Stored);
    assert_eq!(set(&world, id, None, &entries([("d", "4")]), &limits).await, over);
    assert_eq!(stored(&world, id).await.len(), 3);
}

async fn a_write_over_the_bound_on_bytes_stores_nothing(world: World) {
    let (id, limits) = (world.submitted().await, Limits { metadata: 20, ..Limits::default() });
    let over = Written::OverBound(Bound::Metadata);
    assert_eq!(set(&world, id, None, &entries([("ä", r#""12345""#), ("b", r#""1234567""#)]), &limits).await, Written::Stored);
    assert_eq!(stored(&world, id).await.size(), 19);
    assert_eq!(set(&world, id, None, &entries([("c", "1")]), &limits).await, Written::OverBound(Bound::Metadata));
    assert_eq!(set(&world, id, None, &entries([("ä", r#""123456""#), ("c", "1")]), &limits).await, over);
    assert_eq!(stored(&world, id).await.get("ä"), Some(&json(r#""12345""#)));
    assert_eq!(set(&world, id, None, &entries([("ä", r#""123456""#)]), &limits).await, Written::Stored);
    assert_eq!(set(&world, id, None, &entries([("ä", "1"), ("c", "1")]), &limits).await, Written::Stored);
}

async fn writers_of_different_keys_lose_nothing(world: World) {
    let (id, limits) = (world.submitted().await, Limits::default());
    let new: Vec<Entries> = (0..100).map(|n| [(format!("k{n:03}"), json(&n.to_string()))].into_iter().collect()).collect();
    let writes = new.iter().map(|entry| set(&world, id, None, entry, &limits));
    assert!(futures::future::join_all(writes).await.into_iter().all(|written| written == Written::Stored));
    assert_eq!(stored(&world, id).await, new.into_iter().flatten().collect());
}

async fn writers_at_the_bound_do_not_pass_it_together(world: World) {
    let (id, limits) = (world.submitted().await, Limits { metadata_keys: 10, ..Limits::default() });
    let new: Vec<Entries> = (0..50).map(|n| [(format!("k{n}"), json("1"))].into_iter().collect()).collect();
    let written = futures::future::join_all(new.iter().map(|entry| set(&world, id, None, entry, &limits))).await;
    assert_eq!(written.iter().filter(|written| **written == Written::Stored).count(), 10);
    assert_eq!(stored(&world, id).await.len(), 10);
}

async fn an_attempt_that_lost_its_request_writes_nothing(world: World) {
    let (id, limits, new) = (world.running().await, Limits::default(), entries([("k", "1")]));
    assert_eq!(set(&world, id, Some(1), &new, &limits).await, Written::Stored);
    world.step(id, 2, start()).await;
    let late = entries([("k", "2")]);
    assert_eq!(set(&world, id, Some(1), &late, &limits).await, Written::Fenced);
    world.step(id, 2, finish(State::Success)).await;
    assert_eq!(set(&world, id, Some(2), &late, &limits).await, Written::Fenced);
    assert_eq!(stored(&world, id).await, new);
}

async fn somebody_outside_writes_at_any_time(world: World) {
    let (id, limits) = (world.finished(State::Success).await, Limits::default());
    assert_eq!(set(&world, id, None, &entries([("k", "1")]), &limits).await, Written::Stored);
    assert_eq!(stored(&world, id).await, entries([("k", "1")]));
}

async fn a_result_that_is_not_there_has_no_metadata(world: World) {
    let id = RequestId::random();
    for fence in [None, Some(1)] {
        assert_eq!(set(&world, id, fence, &entries([("k", "1")]), &Limits::default()).await, Written::Missing);
    }
    assert_eq!(world.results.metadata(&world.tenant, id).await.unwrap(), None);
    assert_eq!(world.results.metadata_entry(&world.tenant, id, "k").await.unwrap(), None);
    assert_eq!(world.results.read(&world.tenant, &[id]).await.unwrap(), [None]);
}
