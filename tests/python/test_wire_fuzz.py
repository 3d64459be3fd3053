"""Ten thousand messages that others made a little wrong, on the task queue and on the control exchange: none goes without a trace."""

import json
import random
import uuid
from typing import Any, Callable, Iterator

import aio_pika
import pytest
from client import Client, until
from conftest import Fleet
from kinds import mogbox_only

EACH = 5_000
SEED = 200

STRANGE: list[Any] = [None, True, 0, -1, 1e308, 2**70, "", "x" * 300, "\x00", "00112233-4455-6677-8899-aabbccddeeff", [], {}, [[]], {"a": {}}]


def request() -> dict:
    payload = {"id": str(uuid.uuid4()), "name": "demo.add", "args": [1, 2], "kwargs": {}, "stack": [], "metadata": {"user_id": "dol"}}
    payload |= {"deadline": "PT5S", "queue_name": None, "kwargs_repr": "1, 2", "priority": 5}
    return {"id": payload["id"], "kind": "Request", "payload": payload, "priority": 5}


def control() -> dict:
    kind, more = random.choice([("Revoke", {}), ("Query", {"name": "Status"})])
    return {"id": str(uuid.uuid4()), "kind": kind, "payload": {"id": str(uuid.uuid4()), **more}, "priority": 5}


# Each takes what was made and makes it wrong, or not quite.


def swapped(value: dict) -> bytes:
    place = random.choice([value, value["payload"]])
    place[random.choice(list(place))] = random.choice(STRANGE)
    return json.dumps(value).encode()


def without(value: dict) -> bytes:
    place = random.choice([value, value["payload"]])
    del place[random.choice(list(place))]
    return json.dumps(value).encode()


def nested(value: dict) -> bytes:
    depth = random.choice([10, 60, 70, 400])
    return json.dumps(value).replace('"priority"', '"deep": ' + "[" * depth + "]" * depth + ', "priority"', 1).encode()


def flipped(value: dict) -> bytes:
    body = bytearray(json.dumps(value).encode())
    for _ in range(random.randint(1, 4)):
        body[random.randrange(len(body))] = random.randrange(256)
    return bytes(body)


def cut(value: dict) -> bytes:
    body = json.dumps(value).encode()
    start, end = sorted(random.sample(range(len(body) + 1), 2))
    return random.choice([body[:end], body[start:], body[:start] + body[end:], body[:end] + body[start:]])


def noise(_: dict) -> bytes:
    return random.randbytes(random.choice([0, 1, 10, 5_000]))


WAYS: list[Callable[[dict], bytes]] = [swapped, without, nested, flipped, cut, noise]


def bodies(make: Callable[[], dict]) -> Iterator[bytes]:
    for _ in range(EACH):
        yield random.choice(WAYS)(make())


def text(body: bytes) -> str:
    return body.decode(errors="replace")


def is_uuid(value: Any) -> bool:
    try:
        return bool(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        return False


def may_be_taken(body: bytes) -> bool:
    """Whether a message says enough to be a request, a revocation or a query: what is taken must."""
    try:
        message = json.loads(body)
        kind, payload = message["kind"], message["payload"]
        named = kind == "Request" and isinstance(payload["name"], str)
        return is_uuid(payload["id"]) and (named or kind == "Revoke" or (kind == "Query" and payload["name"] == "Status"))
    except (ValueError, KeyError, TypeError):
        return False


async def letters(client: Client) -> dict[str, str]:
    """The reason of each dead letter, by its body."""
    stored = await client.redis.lrange(f"mogbox:{{tasks:0}}:dead:{client.name}", 0, -1)
    read = [json.loads(letter.decode(errors="replace")) for letter in stored]
    return {letter["body"]: letter["reason"] for letter in read}


async def send(client: Client, amqp: str, exchange: str, key: str, sent: list[bytes]) -> None:
    async with await aio_pika.connect(amqp) as connection:
        channel = await connection.channel(publisher_confirms=False)
        place = await channel.get_exchange(exchange)
        for body in sent:
            reply_to = random.choice([None, "nobody"])
            await place.publish(aio_pika.Message(body, message_id=str(uuid.uuid4()), reply_to=reply_to), key)


# Mognet's worker discards what it cannot read.
@mogbox_only
@pytest.mark.asyncio
async def test_ten_thousand_mutated_messages_are_run_or_kept_with_a_reason(fleet: Fleet) -> None:
    random.seed(SEED)
    client, node = fleet.client, await fleet.start()
    last = b"the last of the mutated messages"
    tasks, controls = [*bodies(request), last + b" on the task queue"], [*bodies(control), last + b" on the control exchange"]
    await send(client, fleet.servers.amqp, f"{fleet.app}.mognet.direct", f"{fleet.app}.tasks", tasks)
    await send(client, fleet.servers.amqp, f"{fleet.app}.mognet.control", "", controls)

    async def arrived() -> bool:
        kept = await letters(client)
        return tasks[-1].decode() in kept and controls[-1].decode() in kept

    await until(arrived, "the last of all messages is kept")
    kept = await letters(client)
    silent = [body for body in tasks + controls if text(body) not in kept and not may_be_taken(body)]
    assert not silent, silent[:5]
    assert len(kept) > EACH and all(reason for reason in kept.values())
    assert await client.run("demo.add", 1, 2) == 3
    assert not node.process.ended
