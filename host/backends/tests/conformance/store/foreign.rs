//! Redis only: other programs write there too. What they leave is refused or skipped, and never more than that.

use std::io::Write as _;

use mogbox_core::ids::{Digest, RequestId};
use mogbox_core::limits::Limits;
use mogbox_core::result::State;
use mogbox_core::store::{StoreError, Transitioned, WaitMode};

use super::raw::{Raw, result_key};
use super::world::{World, entries, finish, json, now, request, soon, start};

fn is_malformed<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Malformed(_))), "{answer:?}");
}

#[tokio::test]
async fn a_revocation_without_a_notification_wakes_a_waiter() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let id = world.running().await;
    let key = result_key(&world.tenant, id, "");
    let ids = [id];
    let waiting = world.results.wait(&world.tenant, &ids, WaitMode::All);
    let (found, _) = tokio::join!(soon(waiting), raw.call::<i64>("HSET", &key, &[b"state", b"\"REVOKED\""]));
    assert_eq!(found.unwrap()[0].as_ref().map(|result| result.state), Some(State::Revoked));
    assert_eq!(world.step(id, 1, finish(State::Success)).await, Transitioned::Final(State::Revoked));
}

#[tokio::test]
async fn a_result_that_is_deleted_wakes_a_waiter() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let id = world.running().await;
    let ids = [id];
    let waiting = world.results.wait(&world.tenant, &ids, WaitMode::All);
    let (found, _) = tokio::join!(soon(waiting), raw.call::<i64>("DEL", result_key(&world.tenant, id, ""), &[]));
    assert_eq!(found.unwrap(), [None]);
}

#[tokio::test]
async fn messages_that_are_none_of_ours_are_ignored() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let id = world.running().await;
    let (ids, running) = ([id], format!("{} {id}", world.tenant));
    let noise = async {
        for message in [b"".as_slice(), b"\xff\xff", b"a b", b"{} {}", running.as_bytes(), &[b' '; 1 << 20]] {
            let _: i64 = raw.call("PUBLISH", "mogbox.finished", &[message]).await;
        }
        world.step(id, 1, finish(State::Success)).await
    };
    let (found, _) = tokio::join!(soon(world.results.wait(&world.tenant, &ids, WaitMode::All)), noise);
    assert_eq!(found.unwrap()[0].as_ref().map(|result| result.state), Some(State::Success));
}

#[tokio::test]
async fn a_hash_that_a_client_made_by_asking_is_pending_until_the_request_comes() {
    let (world, mut raw, request) = (World::redis().await, Raw::open().await, request());
    let quoted = format!("\"{}\"", request.id);
    let _: i64 = raw.call("HSET", result_key(&world.tenant, request.id, ""), &[b"id", quoted.as_bytes()]).await;
    assert_eq!(world.counters(request.id).await, (State::Pending, 0, 0, 0));
    assert!(world.results.create(&world.tenant, &request, now()).await.unwrap());
    assert_eq!(world.result(request.id).await.name.as_deref(), Some("demo.add"));
}

#[tokio::test]
async fn a_result_with_senseless_fields_is_refused() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let huge = "9".repeat(200_000);
    for (field, value) in [
        ("id", "not json"),
        ("state", "\"DONE\""),
        ("number_of_starts", "-1"),
        ("created", "\"yesterday\""),
        ("parent_id", "\"x\""),
        ("name", &huge),
        ("node_id", "[]"),
    ] {
        let id = world.running().await;
        let _: i64 = raw.call("HSET", result_key(&world.tenant, id, ""), &[field.as_bytes(), value.as_bytes()]).await;
        is_malformed(world.results.read(&world.tenant, &[id]).await);
    }
}

#[tokio::test]
async fn a_count_that_is_no_number_is_refused_by_every_write() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (id, tenant) = (world.running().await, &world.tenant);
    let _: i64 = raw.call("HSET", result_key(tenant, id, ""), &[b"number_of_stops", b"many"]).await;
    is_malformed(world.results.transition(tenant, id, 1, &finish(State::Success)).await);
    is_malformed(world.results.revoke(tenant, id, now()).await);
    let limits = Limits::default();
    is_malformed(world.results.set_metadata(tenant, id, None, &entries([("k", "1")]), &limits).await);
    is_malformed(world.state.set(tenant, id, 1, "k", &json("1"), &limits).await);
    is_malformed(world.state.pop(tenant, id, 1, "k").await);
    is_malformed(world.state.clear(tenant, id, Some(1)).await);
    world.state.clear(tenant, id, None).await.unwrap();
}

#[tokio::test]
async fn a_key_of_another_type_is_refused() {
    let (world, mut raw, id) = (World::redis().await, Raw::open().await, RequestId::random());
    let tenant = &world.tenant;
    for part in ["", "/value", "/metadata", "/children"] {
        let _: String = raw.call("SET", result_key(tenant, id, part), &[b"text"]).await;
    }
    let _: String = raw.call("SET", format!("{tenant}.mognet.state.{id}"), &[b"text"]).await;
    let _: i64 = raw.call("HSET", format!("{tenant}.mogbox.report.{id}"), &[b"a", b"b"]).await;
    is_malformed(world.results.read(tenant, &[id]).await);
    is_malformed(world.results.transition(tenant, id, 1, &start()).await);
    is_malformed(world.results.value(tenant, id).await);
    is_malformed(world.results.report(tenant, id).await);
    is_malformed(world.results.metadata(tenant, id).await);
    is_malformed(world.results.children(tenant, id).await);
    is_malformed(world.state.get(tenant, id, "k").await);
}

#[tokio::test]
async fn a_value_that_unpacks_to_too_much_or_to_nonsense_is_refused() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (id, tenant) = (world.finished(State::Success).await, &world.tenant);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..80 {
        packed.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let bomb = packed.finish().unwrap();
    let cases: [(&[u8], &[u8]); 5] =
        [(&bomb, b"\"gzip\""), (b"no gzip", b"\"gzip\""), (b"{}", b"null"), (b"1", b"\"zip\""), (b"\xff", b"null")];
    for (contents, encoding) in cases {
        let fields: [&[u8]; 4] = [b"contents", contents, b"encoding", encoding];
        let _: i64 = raw.call("HSET", result_key(tenant, id, "/value"), &fields).await;
        is_malformed(world.results.value(tenant, id).await);
    }
}

#[tokio::test]
async fn metadata_that_is_no_json_is_skipped_and_too_much_of_it_is_refused() {
    let (world, mut raw) = (World::redis().await, Raw::open().await);
    let (id, tenant) = (world.running().await, &world.tenant);
    let key = result_key(tenant, id, "/metadata");
    let deep = "[".repeat(100_000);
    let fields: [&[u8]; 10] = [b"good", b"1", b"nan", b"NaN", b"deep", deep.as_bytes(), b"\xff", b"1", b"bad\n", b"1"];
    let _: i64 = raw.call("HSET", &key, &fields).await;
    assert_eq!(world.results.metadata(tenant, id).await.unwrap(), Some(entries([("good", "1")])));
    let large = vec![b'1'; 17 << 20];
    let _: i64 = raw.call("HSET", &key, &[b"large", &large]).await;
    is_malformed(world.results.metadata(tenant, id).await);
}

#[tokio::test]
async fn children_that_are_no_ids_are_skipped() {
    let (world, mut raw, id) = (World::redis().await, Raw::open().await, RequestId::random());
    let child = RequestId::random();
    let key = result_key(&world.tenant, id, "/children");
    let _: i64 = raw.call("SADD", key, &[child.as_bytes(), b"short", b"more than sixteen bytes"]).await;
    assert_eq!(world.results.children(&world.tenant, id).await.unwrap(), [child]);
}

#[tokio::test]
async fn state_report_and_modules_that_are_senseless_are_refused() {
    let (world, mut raw, id) = (World::redis().await, Raw::open().await, RequestId::random());
    let (tenant, digest) = (&world.tenant, Digest::of(id.as_bytes()));
    let _: i64 = raw.call("HSET", format!("{tenant}.mognet.state.{id}"), &[b"k", b"{'a'}", b"good", b"1"]).await;
    is_malformed(world.state.get(tenant, id, "k").await);
    assert_eq!(world.state.get(tenant, id, "good").await.unwrap(), Some(json("1")));
    let _: String = raw.call("SET", format!("{tenant}.mogbox.report.{id}"), &[b"{}"]).await;
    is_malformed(world.results.report(tenant, id).await);
    let _: String = raw.call("SET", format!("mogbox.module.{digest}"), &[b"other bytes"]).await;
    is_malformed(world.modules.get(&digest).await);
    for (revision, index) in [("1", "[]"), ("one", "{}")] {
        let fields: [&[u8]; 4] = [b"revision", revision.as_bytes(), b"index", index.as_bytes()];
        let _: i64 = raw.call("HSET", format!("{tenant}.mogbox.modules"), &fields).await;
        is_malformed(world.modules.index(tenant).await);
    }
}
