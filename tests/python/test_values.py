"""Values: a task's answer, of any JSON type, is what the client gets, and is stored as Mognet stores it."""

from typing import Any

import pytest

from client import Client
from kinds import HOSTILE

VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**53 + 1,
    -(2**63),
    2**64 - 1,
    3.0,
    1.5,
    -2.5e300,
    5e-324,
    "",
    "text",
    [],
    [1, [2.5, {"a": None}], "x"],
    {},
    {"b": {"a": [True, None, 1.5]}, "": 0, "é": "\U0001f600"},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_a_value_of_any_json_type_comes_back_as_that_type(client: Client, value: Any):
    result = await client.submit("twin.echo", value)
    answered = await client.value(result)
    assert (answered, type(answered)) == (value, type(value))
    assert await client.contents(result) == {"value_type": f"builtins:{type(value).__name__}", "raw_value": value}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_any_text_comes_back_unharmed(client: Client, text: str):
    assert await client.run("twin.echo", text) == text


async def test_a_task_of_floats_that_is_given_integers_answers_a_float(client: Client):
    answered = await client.run("demo.add", 1, 2)
    assert (answered, type(answered)) == (3.0, float)


async def test_a_large_value_is_stored_compressed_and_read(client: Client):
    result = await client.submit("twin.text", 200_000)
    assert await client.value(result) == "0123456789" * 20_000
    stored = await client.redis.hgetall(client.key(result, "/value"))
    assert (stored[b"encoding"], stored[b"content_type"]) == (b'"gzip"', b'"application/json"')
    assert len(stored[b"contents"]) < 20_000


async def test_the_value_of_a_result_that_is_not_final_is_not_ready(client: Client):
    result = await client.submit("twin.hold")
    with pytest.raises(Exception) as raised:
        await result.get()
    assert type(raised.value).__name__ == "ResultNotReady"
    await client.write(result, go=[1])
    assert await client.value(result) == [1]
