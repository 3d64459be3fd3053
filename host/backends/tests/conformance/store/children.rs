//! Children of a request.

use mogbox_core::ids::RequestId;

use super::world::{World, now, request};
use crate::harness::on_both;

on_both! { World;
    children_are_listed_once_and_sorted
    a_request_without_children_has_none
}

async fn children_are_listed_once_and_sorted(world: World) {
    let parent = RequestId::random();
    let submit = async || {
        let mut child = request();
        child.stack = vec![parent];
        for _ in 0..2 {
            world.results.create(&world.tenant, &child, now()).await.unwrap();
        }
        child.id
    };
    let mut expected = futures::future::join_all((0..1_500).map(|_| submit())).await;
    expected.sort();
    assert_eq!(world.results.children(&world.tenant, parent).await.unwrap(), expected);
}

async fn a_request_without_children_has_none(world: World) {
    let id = world.submitted().await;
    assert!(world.results.children(&world.tenant, id).await.unwrap().is_empty());
}
