"""Submissions by the client and by tasks: what is sent, what is stored before it runs, and what the worker makes of odd messages."""

import json
import uuid
from typing import Any, Optional

import aio_pika
import pytest
from mognet import Context, Request

from client import Client, until
from conftest import Fleet
from kinds import ADDED_TO_RESULTS, mogbox_only


async def test_run_submits_and_waits(client: Client):
    assert await client.app.run(Request(name="demo.add", args=(1, 2))) == 3.0


async def test_submit_answers_a_pending_result_that_can_be_awaited(client: Client):
    result = await client.app.submit(Request(name="demo.add", args=(1, 2)))
    assert (result.state.value, result.number_of_starts, result.name) == ("PENDING", 0, "demo.add")
    assert await result == 3.0 and result.state.value == "SUCCESS"


class Hook:
    """Middleware of a client, which has one of Mognet's hooks."""

    async def on_request_submitting(self, request: Request, context: Optional[Context] = None) -> None:
        request.kwargs["n2"] = 40


async def test_a_hook_of_the_client_changes_what_runs(fleet: Fleet):
    await fleet.start()
    fleet.client.app.add_middleware(Hook())
    result = await fleet.client.submit("demo.add", kwargs={"n1": 2, "n2": 3})
    assert await fleet.client.value(result) == 42.0
    assert (await fleet.client.result(result)).request_kwargs_repr == "n1=2, n2=3"


ARGUMENTS = [1, 2.5, "it's", None, True, [1, "é\n"], {"k": 1e16}, "x" * 100]
SHOWN = "1, 2.5, \"it's\", None, True, [1, 'é\\n'], {'k': 1e+16}, '" + "x" * 63 + "..."


async def test_the_arguments_of_a_request_stay_as_the_client_shows_them(client: Client):
    result = await client.submit("twin.echo", *ARGUMENTS)
    assert (await client.final(result)).request_kwargs_repr == SHOWN
    named = await client.submit("demo.add", 1, kwargs={"n2": 2})
    assert (await client.final(named)).request_kwargs_repr == "1, n2=2"
    told = await client.submit("demo.add", 1, 2, kwargs_repr="(secret)")
    assert (await client.final(told)).request_kwargs_repr == "(secret)"


async def test_the_arguments_of_a_child_are_shown_as_the_client_does(client: Client):
    parent = await client.submit("twin.spawn", "twin.echo", ARGUMENTS)
    child = uuid.UUID(await client.value(parent))
    assert (await client.final(child)).request_kwargs_repr == SHOWN


async def child_in_a_queue(fleet: Fleet) -> tuple[uuid.UUID, uuid.UUID, aio_pika.IncomingMessage]:
    """A parent, the child that it sent to a queue that nobody serves, and the message there."""
    await fleet.start()
    parent = await fleet.client.submit("twin.spawn", "demo.add", [1, "é"], "slow", metadata={"of": "parent"})
    child = uuid.UUID(await fleet.client.value(parent))

    async def arrived() -> bool:
        return await fleet.client.waiting("slow") == 1

    await until(arrived, "the child is in its queue")
    message = await fleet.client.broker._task_queues[f"{fleet.app}.slow"].get(no_ack=True)
    return parent.id, child, message


async def test_a_child_is_sent_and_stored_as_the_client_does(fleet: Fleet):
    parent, child, message = await child_in_a_queue(fleet)
    assert (message.exchange, message.routing_key) == (f"{fleet.app}.mognet.direct", f"{fleet.app}.slow")
    assert (message.content_type, message.content_encoding, message.message_id) == ("application/json", "utf-8", str(child))
    assert (message.priority, message.expiration, message.reply_to) == (5, None, None)
    payload = {"id": str(child), "name": "demo.add", "args": [1, "é"], "kwargs": {}, "stack": [str(parent)], "metadata": {}}
    payload |= {"deadline": None, "queue_name": "slow", "kwargs_repr": "1, 'é'", "priority": 5}
    assert json.loads(message.body) == {"id": str(child), "kind": "Request", "payload": payload, "priority": 5}
    stored = {name: field for name, field in (await fleet.client.hash(child)).items() if name not in ADDED_TO_RESULTS}
    assert stored.pop("created") and stored == {
        "id": str(child),
        "name": "demo.add",
        "state": "PENDING",
        "number_of_starts": 0,
        "number_of_stops": 0,
        "parent_id": str(parent),
        "started": None,
        "finished": None,
        "node_id": None,
        "request_kwargs_repr": "1, 'é'",
    }


async def test_the_client_reads_a_child_that_has_not_started(fleet: Fleet):
    parent, child, _ = await child_in_a_queue(fleet)
    pending = await fleet.client.result(child)
    assert (pending.state.value, pending.name, pending.parent_id) == ("PENDING", "demo.add", parent)
    assert (await fleet.client.app.revoke(parent, force=True)).revoked
    assert (await fleet.client.result(child)).revoked


# Mognet publishes transient messages, which are gone with the server.
@mogbox_only
async def test_the_message_of_a_child_is_persistent(fleet: Fleet):
    _, _, message = await child_in_a_queue(fleet)
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT


@pytest.mark.parametrize("extra", [{}, {"tenant": 7, "attempt": {"a": [1]}, "lease": None}], ids=["least", "more"])
async def test_fields_may_be_missing_and_unknown_ones_are_ignored(client: Client, extra: dict[str, Any]):
    result = await client.pending("twin.request")
    await client.send({"id": str(result.id), "name": "twin.request", **extra})
    assert await client.value(result) == {"id": str(result.id), "name": "twin.request", "stack": [], "metadata": {}, "priority": 5}
