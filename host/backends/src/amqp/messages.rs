//! The messages of a node with all that RabbitMQ and Mognet's clients want to know of each.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use mogbox_core::broker::{Lease, NodeStatus, Submission};
use mogbox_core::ids::{QueueName, RequestId, Tenant};
use mogbox_core::request::{MAX_PRIORITY, Request};
use mogbox_core::wire::broadcast::{Broadcast, PRIORITY, encode_answer, encode_broadcast};
use mogbox_core::wire::envelope::encode_request;

use super::link::Outgoing;
use super::names::{self, Declaration};

/// Milliseconds after which a control message that nobody took is of no use.
const EXPIRATION: &str = "300000";

/// Delivery mode of a message that outlives the server's restart.
const PERSISTENT: u8 = 2;

/// Header of a request that was handed out before: the fence of its last hand-out. Results know it, and admit none from before.
const FENCE: &str = "x-mogbox-fence";

/// No request is handed out as often: a larger fence was written by a stranger, and leaves no room to count.
const MOST_HAND_OUTS: u32 = 1 << 30;

/// The message of a request that is new.
pub(super) fn request(Submission { tenant, queue, request, .. }: &Submission) -> Outgoing {
    carrying(tenant, queue, request)
}

/// The message of a request that is given back.
pub(super) fn given_back(Lease { tenant, queue, fence, .. }: &Lease, request: &Request) -> Outgoing {
    let message = carrying(tenant, queue, request);
    let mut headers = FieldTable::default();
    headers.insert(FENCE.into(), AMQPValue::LongUInt(*fence));
    Outgoing { properties: message.properties.with_headers(headers), ..message }
}

/// The fence of the last hand-out of a request; 0 where there was none, or none of ours.
pub(super) fn fence_of(properties: &BasicProperties) -> u32 {
    match properties.headers().as_ref().and_then(|headers| headers.inner().get(FENCE)) {
        Some(AMQPValue::LongUInt(fence)) if *fence <= MOST_HAND_OUTS => *fence,
        _ => 0,
    }
}

fn carrying(tenant: &Tenant, queue: &QueueName, request: &Request) -> Outgoing {
    Outgoing {
        // The queue is its workers' own: they declare it. Whoever submits must not be able to make any number of them.
        needs: Declaration::TaskExchange(tenant.clone()),
        exchange: names::task_exchange(tenant),
        routing_key: names::task_queue(tenant, queue),
        body: encode_request(request),
        properties: properties(request.id).with_priority(request.priority.min(MAX_PRIORITY)).with_delivery_mode(PERSISTENT),
        mandatory: true,
    }
}

/// The message to every node of an application. Answers go to the queue named last.
pub(super) fn to_all(app: &Tenant, message: &Broadcast, reply_to: Option<&str>) -> Outgoing {
    let id = RequestId::random();
    let properties = properties(id).with_expiration(EXPIRATION.into());
    Outgoing {
        needs: Declaration::ControlExchange(app.clone()),
        exchange: names::control_exchange(app),
        routing_key: String::new(),
        body: encode_broadcast(id, message),
        properties: reply_to.map_or(properties.clone(), |queue| properties.with_reply_to(queue.into())),
        mandatory: false,
    }
}

/// The answer to whoever asked, who may have gone.
pub(super) fn answer(app: &Tenant, reply_to: String, query: RequestId, status: NodeStatus) -> Outgoing {
    let id = RequestId::random();
    Outgoing {
        needs: Declaration::TaskExchange(app.clone()),
        exchange: names::task_exchange(app),
        routing_key: reply_to,
        body: encode_answer(id, query, status),
        properties: properties(id).with_priority(PRIORITY),
        mandatory: false,
    }
}

/// What every message of Mognet's has.
fn properties(id: RequestId) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_message_id(id.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_fence(value: AMQPValue) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(FENCE.into(), value);
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn a_request_that_is_given_back_carries_its_fence() {
        let request = Request::new("demo.add".parse().unwrap());
        let lease = Lease { tenant: Tenant::default(), queue: QueueName::default(), id: request.id, fence: 7 };
        assert_eq!(fence_of(&given_back(&lease, &request).properties), 7);
        let submission = Submission { tenant: lease.tenant, queue: lease.queue, request: request.into(), delay: std::time::Duration::ZERO };
        assert_eq!(fence_of(&super::request(&submission).properties), 0);
    }

    #[test]
    fn a_fence_that_is_none_of_ours_counts_for_nothing() {
        for strange in [AMQPValue::LongUInt(u32::MAX), AMQPValue::LongString("7".into()), AMQPValue::Boolean(true)] {
            assert_eq!(fence_of(&with_fence(strange)), 0);
        }
    }
}
