//! Messages to every node.

use std::time::Duration;

use futures::StreamExt as _;
use mogbox_core::broker::{Control, NodeStatus};
use mogbox_core::ids::{RequestId, Tenant};
use tokio::task::JoinHandle;

use super::world::{SOON, World};
use crate::harness::on_both;

on_both! { World;
    a_message_reaches_every_node_that_listens
    many_messages_arrive_in_their_order
    who_asks_what_nodes_run_gets_the_answers_of_all_that_answer_in_time
    an_answer_to_another_question_is_none
}

async fn a_message_reaches_every_node_that_listens(world: World) {
    let nodes = [world.node().await, world.node().await, world.node().await];
    let mut streams = Vec::new();
    for node in &nodes {
        streams.push(node.control().await.unwrap());
    }
    let sent = Control::Revoke { tenant: world.tenant.clone(), id: mogbox_core::RequestId::random() };
    nodes[1].broadcast(&sent).await.unwrap();
    for mut stream in streams {
        // Other tests talk on the same channel.
        while tokio::time::timeout(SOON, stream.next()).await.expect("the message comes") != Some(sent.clone()) {}
    }
}

async fn many_messages_arrive_in_their_order(world: World) {
    let (one, two) = (world.node().await, world.node().await);
    let stream = one.control().await.unwrap();
    let names: Vec<Tenant> = (0..100).map(|number| format!("{}-{number}", world.queue).parse().unwrap()).collect();
    for tenant in &names {
        two.broadcast(&Control::ModulesChanged { tenant: tenant.clone() }).await.unwrap();
    }
    let ours = |message: Control| match message {
        Control::ModulesChanged { tenant } if tenant.as_str().starts_with(world.queue.as_str()) => Some(tenant),
        _ => None,
    };
    let heard = stream.filter_map(|message| std::future::ready(ours(message))).take(100).collect::<Vec<_>>();
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap(), names);
}

/// Answers each question about the test's tenant as a node of this name.
async fn answering(world: &World, node_id: &str, ids: Vec<RequestId>) -> JoinHandle<()> {
    let (node, tenant) = (world.node().await, world.tenant.clone());
    let status = NodeStatus { node_id: node_id.parse().unwrap(), running_request_ids: ids };
    let mut messages = node.control().await.unwrap();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            if let Control::Status { id, tenant: asked } = message
                && asked == tenant
            {
                node.answer(id, status.clone()).await.unwrap();
            }
        }
    })
}

async fn who_asks_what_nodes_run_gets_the_answers_of_all_that_answer_in_time(world: World) {
    let ids = vec![RequestId::random(), RequestId::random()];
    let nodes = [answering(&world, "busy", ids.clone()).await, answering(&world, "idle", Vec::new()).await];
    let silent = world.node().await;
    let _heard = silent.control().await.unwrap();
    let mut told = silent.status(&world.tenant, SOON).await.unwrap();
    told.sort_by(|one, other| one.node_id.cmp(&other.node_id));
    let names: Vec<_> = told.iter().map(|status| status.node_id.as_str()).collect();
    assert_eq!((names, &told[0].running_request_ids), (vec!["busy", "idle"], &ids));
    nodes.iter().for_each(JoinHandle::abort);
}

async fn an_answer_to_another_question_is_none(world: World) {
    let node = world.node().await;
    let _heard = node.control().await.unwrap();
    let liar = node.clone();
    let lies = tokio::spawn(async move {
        loop {
            liar.answer(RequestId::random(), NodeStatus { node_id: "liar".parse().unwrap(), running_request_ids: Vec::new() })
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(node.status(&world.tenant, Duration::from_millis(200)).await.unwrap(), []);
    lies.abort();
}
