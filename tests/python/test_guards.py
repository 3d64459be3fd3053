"""What a worker looks at before it runs a request, in the order in which it looks."""

import asyncio
import json
import uuid
from datetime import datetime, timezone

import pytest
from mognet.exceptions.result_exceptions import Revoked
from mognet.exceptions.too_many_retries import TooManyRetries

from client import Client, until

PAST = datetime(2020, 1, 1, tzinfo=timezone.utc).isoformat()
FINAL = ["SUCCESS", "FAILURE", "REVOKED", "INVALID"]


async def ancestor(client: Client, state: str) -> str:
    """A result that stands like this, of a request that is nowhere."""
    return str((await client.pending("twin.ancestor", state=state)).id)


async def assert_never_started(client: Client, given: uuid.UUID, state: str):
    final = await client.final(given)
    assert (final.state.value, final.number_of_starts, final.number_of_stops) == (state, 0, 1)
    assert final.started is None and final.node_id is None and final.finished is not None


async def test_a_request_deeper_than_64_ancestors_is_refused(client: Client):
    request = await client.publish("twin.echo", 1, stack=[await ancestor(client, "SUSPENDED")] * 65)
    error = await client.error(request)
    assert (type(error), error.args) == (RecursionError, ())
    await assert_never_started(client, request, "FAILURE")


async def test_a_request_with_64_ancestors_runs(client: Client):
    request = await client.publish("twin.echo", 1, stack=[await ancestor(client, "SUSPENDED")] * 64)
    assert await client.value(request) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_request_with_an_ancestor_that_is_gone_is_revoked(client: Client, place: int):
    stack = [await ancestor(client, "SUSPENDED") for _ in range(3)]
    stack[place] = str(uuid.uuid4())
    request = await client.publish("twin.echo", 1, stack=stack)
    assert type(await client.error(request)) is Revoked
    error = await client.stored_error(request)
    assert type(error) is Exception and stack[place] in str(error)
    await assert_never_started(client, request, "REVOKED")


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_request_with_an_ancestor_that_was_revoked_is_revoked(client: Client, place: int):
    stack = [await ancestor(client, "SUSPENDED") for _ in range(3)]
    stack[place] = await ancestor(client, "REVOKED")
    request = await client.publish("twin.echo", 1, stack=stack)
    assert type(await client.error(request)) is Revoked
    error = await client.stored_error(request)
    assert type(error) is Exception and stack[place] in str(error)
    await assert_never_started(client, request, "REVOKED")


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "SUSPENDED", "SUCCESS", "FAILURE", "INVALID"])
async def test_an_ancestor_in_any_other_state_stops_nothing(client: Client, state: str):
    request = await client.publish("twin.echo", 1, stack=[await ancestor(client, state)])
    assert await client.value(request) == 1


@pytest.mark.parametrize("starts, stops", [(4, 0), (9, 5), (5, 0)])
async def test_a_request_that_was_started_too_often_without_finishing_fails(client: Client, starts: int, stops: int):
    request = await client.publish("twin.echo", 1, result={"number_of_starts": starts, "number_of_stops": stops})
    error = await client.error(request)
    assert type(error) is TooManyRetries
    assert (error.request_id, error.actual_retries, error.max_retries) == (request, starts - stops, 3)
    final = await client.final(request)
    assert (final.state.value, final.number_of_starts, final.number_of_stops) == ("FAILURE", starts, stops + 1)


@pytest.mark.parametrize("starts, stops", [(3, 0), (7, 4), (4, 4), (1, 6)])
async def test_a_request_that_was_started_less_often_runs_and_counts_on(client: Client, starts: int, stops: int):
    request = await client.publish("twin.echo", 1, result={"number_of_starts": starts, "number_of_stops": stops})
    assert await client.value(request) == 1
    assert await client.starts_and_stops(request) == (starts + 1, stops + 1)


async def test_a_request_whose_result_is_gone_is_discarded(serial: Client):
    ghost = uuid.uuid4()
    async with serial.busy(pending=2):
        await serial.send({"id": str(ghost), "name": "demo.meta"})
        marker = await serial.submit("demo.add", 1, 2)
    await serial.final(marker)
    assert [key async for key in serial.redis.scan_iter(f"{serial.name}.mognet.*{ghost}*")] == []


@pytest.mark.parametrize("state", FINAL)
async def test_a_request_that_is_done_is_not_run_and_its_state_is_cleared(client: Client, state: str):
    final = {"state": state, "number_of_starts": 2, "number_of_stops": 2, "finished": datetime.now(timezone.utc)}
    waiting = await client.pending("demo.meta", **final)
    await client.redis.hset(client.state_key(waiting), "k", json.dumps(1))
    before = await client.hash(waiting)
    await client.send({"id": str(waiting.id), "name": "demo.meta"})

    async def cleared() -> bool:
        return not await client.redis.exists(client.state_key(waiting))

    await until(cleared, "the state is cleared")
    assert await client.hash(waiting) == before
    assert not await client.redis.exists(client.key(waiting, "/value"), client.key(waiting, "/metadata"))


async def test_retries_are_looked_at_before_depth(client: Client):
    stack = [await ancestor(client, "SUSPENDED")] * 65
    request = await client.publish("twin.echo", 1, stack=stack, result={"number_of_starts": 4})
    assert type(await client.error(request)) is TooManyRetries


async def test_depth_is_looked_at_before_ancestors(client: Client):
    request = await client.publish("twin.echo", 1, stack=[str(uuid.uuid4())] * 65)
    assert type(await client.error(request)) is RecursionError


async def test_ancestors_are_looked_at_before_the_deadline(client: Client):
    request = await client.publish("twin.echo", 1, stack=[str(uuid.uuid4())], deadline=PAST)
    assert type(await client.stored_error(request)) is Exception


async def test_the_deadline_is_looked_at_before_the_name(client: Client):
    request = await client.publish("demo.nope", deadline=PAST)
    assert type(await client.stored_error(request)) is asyncio.TimeoutError
    await assert_never_started(client, request, "REVOKED")
