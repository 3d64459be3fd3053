"""Priorities: a worker that runs one request at a time takes the highest first, and of equal ones the oldest."""

import random

from mognet import Result

from client import Client


async def order(client: Client, results: dict[object, Result]) -> list[object]:
    """The keys, in the order in which their requests started."""
    started = {key: (await client.final(result)).started for key, result in results.items()}
    return sorted(started, key=started.__getitem__)


async def test_the_highest_priority_goes_first(serial: Client):
    priorities = list(range(11))
    random.Random(7).shuffle(priorities)
    async with serial.busy(pending=len(priorities)):
        results = {priority: await serial.submit("twin.request", priority=priority) for priority in priorities}
    assert await order(serial, results) == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert {priority: (await serial.value(result))["priority"] for priority, result in results.items()} == {n: n for n in range(11)}


async def test_of_equal_priorities_the_oldest_goes_first(serial: Client):
    async with serial.busy(pending=8):
        results = {number: await serial.submit("demo.add", number, 0, priority=3) for number in range(8)}
    assert await order(serial, results) == list(range(8))


async def test_a_request_without_priority_has_five(serial: Client):
    async with serial.busy(pending=3):
        results = {"low": await serial.submit("demo.add", 1, 2, priority=4)}
        results["none"] = await serial.submit("demo.add", 1, 2)
        results["high"] = await serial.submit("demo.add", 1, 2, priority=6)
    assert await order(serial, results) == ["high", "none", "low"]


async def test_a_child_has_priority_five_whatever_its_parent_has(client: Client):
    child = await client.run("twin.run", "twin.request", [], priority=9)
    assert child["priority"] == 5
