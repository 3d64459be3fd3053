"""Arguments that fit reach the task; those that do not make the request INVALID, after its start."""

import pytest
from mognet.exceptions.task_exceptions import InvalidErrorInfo, InvalidTaskArguments
from mognet.tasks.task_registry import UnknownTask

from client import Client
from kinds import HOSTILE

FITTING = [
    ("demo.add", (1, 2.5), {}, 3.5),
    ("demo.add", (), {"n1": 1, "n2": 2}, 3.0),
    ("demo.add", (1,), {"n2": 2}, 3.0),
    ("twin.typed", (1, "a", True), {}, [1, "a", True]),
    ("twin.typed", (1,), {"text": "a"}, [1, "a", None]),
    ("twin.typed", (1, "a", None), {}, [1, "a", None]),
]

REFUSED = {
    "none": ("demo.add", (), {}),
    "too few": ("demo.add", (1,), {}),
    "too many": ("demo.add", (1, 2, 3), {}),
    "a text for a number": ("demo.add", (1, "q"), {}),
    "a list and an object for numbers": ("demo.add", ([1], {"a": 1}), {}),
    "null for a number": ("demo.add", (None, 2), {}),
    "an unknown name": ("demo.add", (1, 2), {"n3": 3}),
    "one by position and by name": ("demo.add", (1, 2), {"n1": 1}),
    "a fraction for an integer": ("twin.typed", (1.5, "a"), {}),
    "a number for a text": ("twin.typed", (1, 2), {}),
    "a text for a flag": ("twin.typed", (1, "a"), {"flag": "maybe"}),
}


@pytest.mark.parametrize("name, args, kwargs, value", FITTING, ids=repr)
async def test_arguments_come_by_position_and_by_name(client: Client, name: str, args: tuple, kwargs: dict, value: object):
    assert await client.run(name, *args, kwargs=kwargs) == value


@pytest.mark.parametrize("name, args, kwargs", REFUSED.values(), ids=REFUSED)
async def test_arguments_that_do_not_fit_are_refused_with_the_reason(client: Client, name: str, args: tuple, kwargs: dict):
    result = await client.submit(name, *args, kwargs=kwargs)
    error = await client.error(result)
    assert type(error) is InvalidTaskArguments
    assert error.errors and all(type(one) is InvalidErrorInfo and one.msg for one in error.errors)


async def test_a_request_with_arguments_that_do_not_fit_is_invalid_after_its_start(client: Client):
    result = await client.final(await client.submit("demo.add", 1, "q"))
    assert (result.state.value, result.number_of_starts, result.number_of_stops) == ("INVALID", 1, 1)
    assert result.created <= result.started <= result.finished


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_arguments_are_refused_as_any_other(client: Client, text: str):
    assert type(await client.error(await client.submit("demo.add", 1, text))) is InvalidTaskArguments
    assert type(await client.error(await client.submit("demo.add", 1, 2, kwargs={text: 1}))) is InvalidTaskArguments


async def test_an_unknown_task_is_invalid_without_a_start(client: Client):
    result = await client.submit("demo.nope", 1)
    error = await client.error(result)
    assert (type(error), error.args, error.task_name) == (UnknownTask, ("demo.nope",), "demo.nope")
    final = await client.final(result)
    assert (final.state.value, final.number_of_starts, final.number_of_stops) == ("INVALID", 0, 1)
    assert final.started is None and final.node_id is None


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_the_name_of_an_unknown_task_comes_back_unharmed(client: Client, text: str):
    error = await client.error(await client.submit(text))
    assert (type(error), error.task_name) == (UnknownTask, text)
