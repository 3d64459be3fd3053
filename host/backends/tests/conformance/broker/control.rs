//! Messages to every node.

use std::time::Duration;

use futures::StreamExt as _;
use mogbox_core::broker::Control;
use mogbox_core::ids::Tenant;

use super::world::{SOON, World};
use crate::harness::on_both;

on_both! { World;
    a_message_reaches_every_node_that_listens
    many_messages_arrive_in_their_order
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
