//! Messages that no node can run: kept with the reason, bounded, and out of the way.

use std::time::Duration;

use mogbox_core::broker::Wanted;

use super::world::{World, delivered, take, take_one};
use crate::harness::on_both;

on_both! { World;
    a_malformed_message_becomes_a_dead_letter_and_the_queue_goes_on
    a_message_of_another_request_is_malformed
    a_queue_of_nothing_but_malformed_messages_is_worked_off
    a_long_body_is_cut_and_made_readable
    dead_letters_are_listed_newest_first
    the_oldest_dead_letters_make_room_for_new_ones
}

async fn a_malformed_message_becomes_a_dead_letter_and_the_queue_goes_on(world: World) {
    let node = world.node().await;
    world.submit_raw(&*node, b"{\"id\": \xff\xfe").await;
    let good = world.request();
    node.submit(std::slice::from_ref(&good)).await.unwrap();
    assert_eq!(take_one(&*node).await.lease.id, good.request.id);
    let letters = node.dead_letters(&world.tenant, 9).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].body, "{\"id\": \u{fffd}\u{fffd}");
    assert!(letters[0].reason.starts_with("malformed message"), "{}", letters[0].reason);
    assert_eq!(node.backlog(&world.tenant).await.unwrap().dead, 1);
}

async fn a_message_of_another_request_is_malformed(world: World) {
    let node = world.node().await;
    let other = mogbox_core::wire::envelope::encode_request(&world.request().request);
    let id = world.submit_raw(&*node, other.as_bytes()).await;
    assert_eq!(delivered(&node.receive(&Wanted::any(1), Duration::from_millis(50)).await.unwrap()), []);
    let reason = &node.dead_letters(&world.tenant, 1).await.unwrap()[0].reason;
    assert!(reason.starts_with(&format!("the message is queued as {id} but its request is ")), "{reason}");
}

async fn a_queue_of_nothing_but_malformed_messages_is_worked_off(world: World) {
    let node = world.node().await;
    for body in [&b""[..], b"null", b"{}", b"[", b"\0", br#"{"kind":"Revoke","payload":{}}"#] {
        world.submit_raw(&*node, body).await;
    }
    let good = world.request();
    node.submit(std::slice::from_ref(&good)).await.unwrap();
    // One at a time, so that each call but the last finds only a malformed one.
    assert_eq!(take_one(&*node).await.lease.id, good.request.id);
    assert_eq!(node.dead_letters(&world.tenant, 9).await.unwrap().len(), 6);
}

async fn a_long_body_is_cut_and_made_readable(world: World) {
    let node = world.node().await;
    let body = ["x".repeat(64 * 1024 - 1), "é".repeat(50_000)].concat();
    world.submit_raw(&*node, body.as_bytes()).await;
    assert_eq!(delivered(&node.receive(&Wanted::any(1), Duration::from_millis(50)).await.unwrap()), []);
    let kept = &node.dead_letters(&world.tenant, 1).await.unwrap()[0].body;
    assert_eq!(*kept, "x".repeat(64 * 1024 - 1) + "\u{fffd}");
}

async fn dead_letters_are_listed_newest_first(world: World) {
    let node = world.node().await;
    node.submit(&world.requests_of(&world.tenant, 5)).await.unwrap();
    for reason in ["0", "1", "2", "3", "4"] {
        node.settle(&[take(&*node, 1).await.remove(0).reject(reason.to_owned(), Duration::ZERO)]).await.unwrap();
    }
    let reasons = async |most| node.dead_letters(&world.tenant, most).await.unwrap().into_iter().map(|letter| letter.reason).collect();
    let (three, all, none): (Vec<String>, Vec<String>, Vec<String>) = (reasons(3).await, reasons(99).await, reasons(0).await);
    assert_eq!((three.join(""), all.join(""), none.len()), ("432".to_owned(), "43210".to_owned(), 0));
}

async fn the_oldest_dead_letters_make_room_for_new_ones(world: World) {
    let node = world.node().await;
    world.fill_dead_letters(10_000).await;
    node.submit(&[world.request()]).await.unwrap();
    node.settle(&[take(&*node, 1).await.remove(0).reject("new".repeat(1_000), Duration::ZERO)]).await.unwrap();
    assert_eq!(node.backlog(&world.tenant).await.unwrap().dead, 10_000);
    let letters = node.dead_letters(&world.tenant, 2).await.unwrap();
    assert_eq!((letters[0].reason.len(), letters[1].reason.as_str()), (1_024, "old"));
    assert_eq!(node.dead_letters(&world.tenant, usize::MAX).await.unwrap().len(), 1_000);
}
