"""Pauses, after which a request runs again from its beginning, and the state that it keeps until it is done."""

import uuid
from datetime import datetime

import pytest
from mognet import Result

from client import Client, until
from kinds import mogbox_only

LIFE = 7_200  # seconds that state lives after it was last used


async def after_pauses(client: Client, kind: str, name: str, *args: object) -> Result:
    """The final result of a task that pauses.

    Mognet's worker forgets, now and then, a request that comes back before it is through with the pause, and leaves it RUNNING for
    ever. That is told apart from any other fault, and another request is submitted then.
    """
    while True:
        result = await client.submit(name, *args)

        async def ended() -> bool:
            return (await client.result(result)).done or (kind == "mognet" and await forgotten(client, result))

        await until(ended, f"{name} is done")
        if (await client.result(result)).done:
            return await client.final(result)


async def forgotten(client: Client, result: Result) -> bool:
    """Whether it runs on no node, although its result said so before and after they were asked."""
    before = await client.hash(result)
    if before["state"] != "RUNNING":
        return False
    nodes = await client.statuses(lambda answers: True, "the worker answers")
    return not any(result.id in ids for ids in nodes.values()) and await client.hash(result) == before


async def test_a_request_that_pauses_runs_again_until_it_answers(client: Client, kind: str):
    final = await after_pauses(client, kind, "twin.pause", 2)
    assert (await final.get(), final.number_of_starts, final.number_of_stops) == (3, 3, 3)


async def test_state_is_read_written_and_removed_across_a_pause(client: Client, kind: str):
    final = await after_pauses(client, kind, "twin.across")
    kept = {"a": [1, None, True], "é": "\U0001f600"}
    assert await final.get() == {"before": [kept, "gone", None], "kept": kept, "removed": None}


@pytest.mark.parametrize("name, args", [("demo.meta", ()), ("twin.pause", (1,))])
async def test_state_is_gone_when_the_request_is_done(client: Client, kind: str, name: str, args: tuple):
    final = await after_pauses(client, kind, name, *args)

    async def gone() -> bool:
        return not await client.redis.exists(client.state_key(final))

    await until(gone, "the state is gone")


async def test_state_lives_two_hours_from_its_last_use(client: Client):
    result = await client.submit("twin.keep")
    await client.until_metadata(result, "kept")
    key = client.state_key(result)
    assert await client.redis.hgetall(key) == {b"n": b"1"}
    assert LIFE - 60 <= await client.redis.ttl(key) <= LIFE
    await client.redis.expire(key, 100)
    await client.write(result, read=True)
    await client.until_metadata(result, "was_read")
    assert LIFE - 60 <= await client.redis.ttl(key) <= LIFE
    await client.write(result, go=True)
    assert await client.value(result) == 1
    assert not await client.redis.exists(key)


async def test_a_clients_state_of_a_request_is_what_the_task_reads(client: Client):
    result = await client.submit("twin.keep")
    await client.until_metadata(result, "kept")
    await client.app.state_backend.set(result.id, "n", {"from": "outside"})
    await client.write(result, read=True, go=True)
    assert await client.value(result) == {"from": "outside"}


async def paused(client: Client, given: uuid.UUID) -> datetime:
    """Waits until a request is paused, and tells when its last run started."""
    return (await client.until_state(given, "SUSPENDED")).started


# Mognet's worker gives the message back and gets it again at once, so that the processor does nothing else.
@mogbox_only
async def test_a_paused_request_comes_back_only_after_a_while(client: Client):
    result = await client.submit("twin.pause_for_ever")
    first = await paused(client, result.id)
    await client.until_metadata(result, "runs", lambda runs: runs is not None and runs >= 4)
    last = await paused(client, result.id)
    runs = (await client.metadata(result))["runs"]
    await client.app.revoke(result.id)
    assert (last - first).total_seconds() / (runs - 1) > 0.05


# As above: with Mognet's worker it takes the luck that the paused request is forgotten.
@mogbox_only
async def test_a_paused_request_makes_way_for_others(serial: Client):
    result = await serial.submit("twin.pause_for_ever")
    await serial.until_metadata(result, "runs")
    assert [await serial.run("demo.add", number, 1) for number in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0]
    await serial.app.revoke(result.id)
    assert (await serial.final(result)).state.value == "REVOKED"
    await serial.until_not_running(result)
