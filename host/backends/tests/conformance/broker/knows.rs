//! Whether the broker has a request: as long as it may still be handed out.

use std::time::Duration;

use mogbox_core::broker::Submission;
use mogbox_core::ids::{QueueName, RequestId, Tenant};

use super::world::{World, take_one};
use crate::harness::{fresh_tenant, on_both};

on_both! { World;
    a_request_is_known_from_its_submission_to_its_settlement
    a_request_of_another_tenant_or_queue_is_not_known
}

fn name(submission: &Submission) -> (Tenant, QueueName, RequestId) {
    (submission.tenant.clone(), submission.queue.clone(), submission.request.id)
}

async fn a_request_is_known_from_its_submission_to_its_settlement(world: World) {
    let node = world.node().await;
    let (held, rejected, ready) = (world.request_with_priority(10), world.request_with_priority(9), world.request_with_priority(1));
    let delayed = Submission { delay: Duration::from_secs(60), ..world.request() };
    let never = world.request();
    node.submit(&[held.clone(), rejected.clone(), ready.clone()]).await.unwrap();
    node.submit(std::slice::from_ref(&delayed)).await.unwrap();
    let (held_delivery, rejected_delivery) = (take_one(&*node).await, take_one(&*node).await);
    let names = [&held, &rejected, &ready, &delayed, &never].map(name);
    assert_eq!(node.knows(&names).await.unwrap(), [true, true, true, true, false]);
    let cost = Duration::ZERO;
    node.settle(&[held_delivery.done(cost), rejected_delivery.reject("no".to_owned(), cost)]).await.unwrap();
    assert_eq!(node.knows(&names).await.unwrap(), [false, false, true, true, false]);
    assert_eq!(node.knows(&[]).await.unwrap(), [false; 0]);
}

async fn a_request_of_another_tenant_or_queue_is_not_known(world: World) {
    let node = world.node().await;
    let submission = world.request();
    node.submit(std::slice::from_ref(&submission)).await.unwrap();
    let (tenant, queue, id) = name(&submission);
    let others = [(fresh_tenant(), queue.clone(), id), (tenant.clone(), "elsewhere".parse().unwrap(), id), (tenant, queue, id)];
    assert_eq!(node.knows(&others).await.unwrap(), [false, false, true]);
}
