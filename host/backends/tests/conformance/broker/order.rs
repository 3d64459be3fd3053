//! In which order requests are handed out, and that each is queued once.

use std::sync::Arc;

use super::world::{World, delivered, ids, take};
use crate::harness::on_both;

on_both! { World;
    the_highest_priority_comes_first_and_equal_ones_in_the_order_of_submission
    no_more_than_wanted_are_handed_out
    the_request_arrives_as_it_was_submitted
    submitting_again_while_queued_or_leased_changes_nothing
    the_backlog_counts_what_lies_where
    five_thousand_queued_and_a_thousand_due_at_once_are_promoted_in_lots
}

async fn the_highest_priority_comes_first_and_equal_ones_in_the_order_of_submission(world: World) {
    let node = world.node().await;
    let low: Vec<_> = (0..3).map(|_| world.request_with_priority(0)).collect();
    let high: Vec<_> = (0..3).map(|_| world.request_with_priority(10)).collect();
    let middle = world.request();
    for submission in low.iter().chain([&middle]).chain(&high) {
        node.submit(std::slice::from_ref(submission)).await.unwrap();
    }
    let expected = [ids(&high), vec![middle.request.id], ids(&low)].concat();
    assert_eq!(delivered(&take(&*node, 10).await), expected);
}

async fn no_more_than_wanted_are_handed_out(world: World) {
    let node = world.node().await;
    let submissions = world.requests_of(&world.tenant, 5);
    node.submit(&submissions).await.unwrap();
    assert_eq!(delivered(&take(&*node, 0).await), []);
    assert_eq!(delivered(&take(&*node, 2).await), ids(&submissions)[..2]);
    assert_eq!(delivered(&take(&*node, 9).await), ids(&submissions)[2..]);
}

async fn the_request_arrives_as_it_was_submitted(world: World) {
    let node = world.node().await;
    let mut submission = world.request_with_priority(7);
    let request = Arc::make_mut(&mut submission.request);
    request.args.push(serde_json::from_str(r#"{"text": "\u0000 é 💡", "number": 1e40}"#).unwrap());
    request.stack.push(mogbox_core::ids::RequestId::random());
    node.submit(std::slice::from_ref(&submission)).await.unwrap();
    let delivery = take(&*node, 1).await.remove(0);
    assert_eq!(delivery.request, submission.request);
    assert_eq!((&delivery.lease.tenant, &delivery.lease.queue), (&submission.tenant, &submission.queue));
    assert_eq!((delivery.lease.fence, delivery.expiries), (1, 0));
}

async fn submitting_again_while_queued_or_leased_changes_nothing(world: World) {
    let node = world.node().await;
    let submissions = world.requests_of(&world.tenant, 2);
    node.submit(&submissions).await.unwrap();
    node.submit(&submissions[..1]).await.unwrap();
    let mut taken = take(&*node, 3).await;
    assert_eq!(delivered(&taken), ids(&submissions));
    node.submit(&submissions).await.unwrap();
    assert_eq!(delivered(&take(&*node, 3).await), []);
    node.settle(&[taken.remove(0).done(Default::default())]).await.unwrap();
    node.submit(&submissions).await.unwrap();
    let again = take(&*node, 3).await;
    assert_eq!(delivered(&again), ids(&submissions[..1]), "what is done may be submitted anew");
}

async fn the_backlog_counts_what_lies_where(world: World) {
    let node = world.node().await;
    let mut submissions = world.requests_of(&world.tenant, 7);
    submissions[6].delay = std::time::Duration::from_secs(60);
    node.submit(&submissions).await.unwrap();
    let mut taken = take(&*node, 3).await;
    node.settle(&[taken.remove(0).reject("bad".to_owned(), Default::default())]).await.unwrap();
    let backlog = node.backlog(&world.tenant).await.unwrap();
    assert_eq!((backlog.ready, backlog.delayed, backlog.leased, backlog.dead), (3, 1, 2, 1));
    assert_eq!(node.backlog(&crate::harness::fresh_tenant()).await.unwrap(), Default::default());
}

async fn five_thousand_queued_and_a_thousand_due_at_once_are_promoted_in_lots(world: World) {
    let node = world.node_with(|settings| settings.share.in_flight = 10_000).await;
    let mut due = world.requests_of(&world.tenant, 1_000);
    due.iter_mut().for_each(|submission| submission.delay = std::time::Duration::from_secs(60));
    let queued = world.requests_of(&world.tenant, 5_000);
    node.submit(&due).await.unwrap();
    node.submit(&queued).await.unwrap();
    world.pass_time().await;
    let mut seen = delivered(&take(&*node, 1).await);
    assert_eq!(node.backlog(&world.tenant).await.unwrap().delayed, 1_000 - 64);
    loop {
        let taken = take(&*node, 1_000).await;
        if taken.is_empty() {
            break;
        }
        seen.extend(delivered(&taken));
    }
    let mut expected = [ids(&due), ids(&queued)].concat();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}
