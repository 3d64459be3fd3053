"""Messages that are no request: they stop nobody, and Mogbox keeps them with the reason."""

import json

import aio_pika
import pytest

from client import Client
from conftest import Fleet
from kinds import mogbox_only
from workers import MogboxNode

ID = "00112233-4455-6677-8899-aabbccddeeff"


def envelope(payload: object, **fields: object) -> bytes:
    return json.dumps({"id": ID, "kind": "Request", "payload": payload, **fields}).encode()


BODIES = {
    "nothing": b"",
    "no JSON": b"not json {",
    "no UTF-8": b'{"id": "\xff"}',
    "no object": b"[1, 2]",
    "an object of nothing": b"{}",
    "no payload": json.dumps({"id": ID, "kind": "Request"}).encode(),
    "an unknown kind": envelope({"id": ID, "name": "demo.add"}, kind="Nonsense"),
    "a control message": envelope({"id": ID}, kind="Revoke"),
    "a payload that is no object": envelope([1]),
    "no name": envelope({"id": ID}),
    "a name that is no text": envelope({"id": ID, "name": 7}),
    "an id that is none": envelope({"id": "x", "name": "demo.add"}),
    "arguments that are no list": envelope({"id": ID, "name": "demo.add", "args": {"a": 1}}),
    "named arguments that are no object": envelope({"id": ID, "name": "demo.add", "kwargs": [1]}),
    "a priority over ten": envelope({"id": ID, "name": "demo.add", "priority": 11}),
    "a deadline that is none": envelope({"id": ID, "name": "demo.add", "deadline": "soon"}),
    "ancestors that are none": envelope({"id": ID, "name": "demo.add", "stack": ["x"]}),
}


async def send(client: Client, body: bytes, message_id: str = ID) -> None:
    message = aio_pika.Message(body=body, content_type="application/json", message_id=message_id, priority=5)
    await client.broker._direct_exchange.publish(message, f"{client.name}.tasks")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_message_that_is_no_request_stops_nobody(serial: Client, body: bytes):
    await send(serial, body)
    assert await serial.run("demo.add", 1, 2) == 3.0
    assert await serial.waiting() == 0


# Mognet discards them.
@mogbox_only
async def test_messages_that_are_no_requests_are_kept_with_the_reason(fleet: Fleet):
    node = await fleet.start()
    assert isinstance(node, MogboxNode)
    for body in BODIES.values():
        await send(fleet.client, body)
    assert await fleet.client.run("demo.add", 1, 2) == 3.0
    letters = node.dead_letters(fleet.app)
    assert len(letters) == len(BODIES)
    assert all(letter["reason"] for letter in letters)
    texts = {letter["body"] for letter in letters}
    assert {body.decode(errors="replace") for body in BODIES.values()} == texts


# Mognet discards the message, and the client waits for ever.
@mogbox_only
async def test_the_result_of_a_message_that_is_no_request_is_ended(client: Client):
    result = await client.pending("demo.add")
    await send(client, b"not json {", message_id=str(result.id))
    final = await client.final(result)
    assert final.state.value == "INVALID"
