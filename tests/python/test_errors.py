"""Failures: the client raises what happened, with its text unharmed, and no guest reaches what it unpickles."""

import pytest

from client import Client
from kinds import ADDED_TO_EXCEPTIONS, HOSTILE, mogbox_only


async def test_a_task_that_fails_makes_the_client_raise_its_text(client: Client):
    result = await client.submit("demo.fail")
    error = await client.error(result)
    assert isinstance(error, Exception) and str(error) == "boom"
    final = await client.final(result)
    assert (final.state.value, final.number_of_starts, final.number_of_stops) == ("FAILURE", 1, 1)
    assert final.failed and final.done and not final.successful


@pytest.mark.parametrize("text", ["", *HOSTILE.values()], ids=["nothing", *HOSTILE])
async def test_the_text_of_a_failure_comes_back_unharmed(client: Client, text: str):
    error = await client.error(await client.submit("twin.raise", text))
    assert (type(error), error.args) == (Exception, (text,))


async def test_a_failure_is_stored_as_the_client_reads_it(client: Client):
    result = await client.submit("twin.raise", "boom")
    await client.final(result)
    contents = await client.contents(result)
    assert contents["value_type"] == "mognet.model.result:_ExceptionInfo"
    fields = set(contents["raw_value"]) - ADDED_TO_EXCEPTIONS
    assert fields == {"name", "message", "traceback", "raw_data", "raw_data_encoding"}
    assert contents["raw_value"]["message"] == "boom" and isinstance(contents["raw_value"]["traceback"], str)
    assert isinstance(contents["raw_value"]["name"], str)


# Mognet pickles whatever was raised; a guest's failure carries no pickle, whatever it says.
@mogbox_only
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_a_guests_failure_carries_nothing_to_unpickle(client: Client, text: str):
    result = await client.submit("twin.raise", text)
    await client.final(result)
    raw = (await client.contents(result))["raw_value"]
    assert (raw["raw_data"], raw["raw_data_encoding"]) == (None, None)


async def test_a_failed_task_is_not_tried_again(client: Client):
    result = await client.submit("twin.raise", "once")
    await client.final(result)
    # Whatever were sent again for it would arrive before this one.
    await client.run("demo.add", 1, 2)
    assert await client.starts_and_stops(result) == (1, 1)
