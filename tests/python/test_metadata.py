"""Metadata: given at submission, read and changed by the running task and from outside, each key by itself."""

import asyncio
from typing import Any

import pytest

from client import Client
from kinds import HOSTILE

ANY_JSON = {"user_id": "dol", "n": 7, "half": 1.5, "none": None, "yes": True, "list": [1, ["é", {}]], "object": {"a": {"b": "\U0001f600"}}}


async def test_what_is_given_at_submission_is_stored_key_by_key(client: Client):
    result = await client.submit("demo.add", 1, 2, metadata=ANY_JSON)
    await client.final(result)
    assert await client.hash(result, "/metadata") == ANY_JSON == await client.metadata(result)


async def test_the_running_task_reads_what_was_given_in_its_request_and_in_its_result(client: Client):
    assert (await client.run("twin.request", metadata=ANY_JSON))["metadata"] == ANY_JSON
    assert await client.run("twin.read", metadata=ANY_JSON) == ANY_JSON


async def test_a_request_without_metadata_has_none(client: Client):
    result = await client.submit("twin.read")
    assert await client.value(result) == {} and not await client.redis.exists(client.key(result, "/metadata"))


async def test_what_the_task_writes_is_read_from_outside_while_it_runs(client: Client):
    result = await client.submit("twin.progress", 3)
    for done in (1, 2, 3):
        progress = await client.until_metadata(result, "progress", lambda value: value is not None and value["done"] == done)
        assert progress == {"done": done, "total": 3, "message": f"step {done}"}
        assert (await client.result(result)).state.value == "RUNNING"
        await client.write(result, **{f"go{done}": True})
    assert await client.value(result) == 3


async def test_the_task_changes_what_was_given_and_the_rest_stays(client: Client):
    result = await client.submit("demo.meta", metadata={"user_id": "dol", "kept": [1]})
    assert await client.value(result) == {"seen": {"user_id": "dol", "kept": [1]}}
    assert await client.metadata(result) == {"user_id": "dkl", "n": {"a": [1, None, True]}, "kept": [1]}


@pytest.mark.parametrize("value", [0, False, "", [], {}, {"a": [1, None]}, "text"], ids=repr)
async def test_the_running_task_sees_what_is_written_from_outside(client: Client, value: Any):
    result = await client.submit("twin.hold", "signal", metadata={"user_id": "dol"})
    await client.until_state(result, "RUNNING")
    await client.write(result, signal=value)
    assert await client.value(result) == value
    assert await client.metadata(result) == {"user_id": "dol", "signal": value}


async def test_what_is_written_before_the_start_is_there_at_the_start(serial: Client):
    async with serial.busy(pending=1):
        result = await serial.submit("twin.read", metadata={"a": 1})
        await serial.write(result, b=2)
    assert await serial.value(result) == {"a": 1, "b": 2}


async def test_metadata_is_written_after_the_end_as_well(client: Client):
    result = await client.submit("demo.add", 1, 2)
    await client.final(result)
    before = await client.hash(result)
    await client.write(result, reviewed_by="ops")
    assert await client.metadata(result) == {"reviewed_by": "ops"} and await client.hash(result) == before


async def test_writers_of_different_keys_lose_nothing_to_each_other(client: Client):
    result = await client.submit("twin.write", "task", 20)

    async def writes(name: str) -> None:
        for key in range(20):
            await client.write(result, **{f"{name}{key}": key})

    await asyncio.gather(writes("a"), writes("b"), client.final(result))
    assert await client.metadata(result) == {f"{name}{key}": key for name in ("task", "a", "b") for key in range(20)}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_metadata_comes_back_unharmed(client: Client, text: str):
    result = await client.submit("twin.read", metadata={"text": text})
    assert await client.value(result) == {"text": text} == await client.metadata(result)


@pytest.mark.parametrize("key", ["user id", "user/id", "é\U0001f600", "a'b\"c", ""])
async def test_the_task_reads_metadata_under_any_key(client: Client, key: str):
    assert await client.run("twin.read", metadata={key: 1}) == {key: 1}
