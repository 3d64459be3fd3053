"""One application, served by a worker of Mognet's (queue `tasks`) and by a node of Mogbox's (queue `wasm`) together."""

import uuid
from typing import AsyncIterator

import pytest
import pytest_asyncio

from client import Client, until
from conftest import Fleet
from workers import Servers, Worker

MOGNET, MOGBOX = "tasks", "wasm"
DIRECTIONS = [(MOGNET, MOGBOX), (MOGBOX, MOGNET)]


class Mixed:
    def __init__(self, client: Client, workers: dict[str, Worker]):
        self.client, self.workers = client, workers

    async def assert_ran_in(self, given: uuid.UUID, queue: str) -> None:
        """Each kind of worker serves one queue, and only Mognet's is given its id."""
        node = (await self.client.result(given)).node_id
        assert (node == self.workers[MOGNET].name) == (queue == MOGNET), f"{node} ran it"


async def only_child(client: Client, parent: uuid.UUID) -> uuid.UUID:
    async def submitted() -> list[uuid.UUID]:
        return await client.children(parent)

    [child] = await until(submitted, "the parent has a child")
    return child


@pytest_asyncio.fixture(scope="module")
async def mixed(servers: Servers) -> AsyncIterator[Mixed]:
    fleet = Fleet(servers, "mognet")
    try:
        await fleet.open((MOGNET, MOGBOX))
        python = await fleet.start("mognet", queues=(MOGNET,))
        node = await fleet.start("mogbox", queues=(MOGBOX,))
        yield Mixed(fleet.client, {MOGNET: python, MOGBOX: node})
    finally:
        await fleet.close()


@pytest.mark.parametrize("queue", [MOGNET, MOGBOX])
async def test_each_worker_runs_what_is_in_its_queue(mixed: Mixed, queue: str):
    result = await mixed.client.submit("demo.add", 1, 2, queue_name=queue)
    assert await mixed.client.value(result) == 3.0
    await mixed.assert_ran_in(result.id, queue)


@pytest.mark.parametrize("parents, childs", DIRECTIONS)
async def test_a_parent_awaits_a_child_of_the_other_kind(mixed: Mixed, parents: str, childs: str):
    parent = await mixed.client.submit("twin.run", "twin.request", [], childs, queue_name=parents)
    seen = await mixed.client.value(parent)
    [child] = await mixed.client.children(parent)
    assert (seen["id"], seen["stack"]) == (str(child), [str(parent.id)])
    assert (await mixed.client.result(child)).parent_id == parent.id
    await mixed.assert_ran_in(parent.id, parents)
    await mixed.assert_ran_in(child, childs)


@pytest.mark.parametrize("parents, childs", DIRECTIONS)
async def test_a_parent_sees_the_failure_of_a_child_of_the_other_kind(mixed: Mixed, parents: str, childs: str):
    [[state, text]] = await mixed.client.run("twin.outcome", "demo.fail", [], childs, queue_name=parents)
    assert state == "FAILURE" and "boom" in text


@pytest.mark.parametrize("parents, childs", DIRECTIONS)
async def test_a_parent_sees_arguments_refused_by_a_child_of_the_other_kind(mixed: Mixed, parents: str, childs: str):
    [[state, _]] = await mixed.client.run("twin.outcome", "demo.add", ["q"], childs, queue_name=parents)
    assert state == "INVALID"


@pytest.mark.parametrize("parents, childs", DIRECTIONS)
async def test_a_parent_sees_that_a_child_of_the_other_kind_was_revoked(mixed: Mixed, parents: str, childs: str):
    parent = await mixed.client.submit("twin.outcome", "twin.hold", [], childs, queue_name=parents)
    child = await only_child(mixed.client, parent.id)
    await mixed.client.until_state(child, "RUNNING")
    await mixed.client.app.revoke(child)
    assert (await mixed.client.value(parent))[0][0] == "REVOKED"


@pytest.mark.parametrize("parents, childs", DIRECTIONS)
async def test_a_revoked_parent_stops_with_its_child_of_the_other_kind(mixed: Mixed, parents: str, childs: str):
    client = mixed.client
    parent = await client.submit("twin.run", "twin.tick", [], childs, queue_name=parents)
    child = await only_child(client, parent.id)
    await client.until_metadata(child, "tick")
    both = {parent.id, child}
    await client.statuses(lambda nodes: both <= set().union(*nodes.values()), "both run")
    await client.app.revoke(parent.id)
    await client.statuses(lambda nodes: len(nodes) == 2 and not both & set().union(*nodes.values()), "neither runs")
    assert {(await client.result(one)).state.value for one in both} == {"REVOKED"}
    tick = (await client.metadata(child))["tick"]
    await client.run("twin.sleep", 0.2, queue_name=childs)
    assert (await client.metadata(child))["tick"] == tick


@pytest.mark.parametrize("parents, childs", DIRECTIONS)
async def test_a_child_of_a_revoked_parent_of_the_other_kind_never_starts(mixed: Mixed, parents: str, childs: str):
    client = mixed.client
    parent = await client.submit("twin.tick", queue_name=parents)
    await client.until_metadata(parent, "tick")
    await client.app.revoke(parent.id)
    child = await client.pending("demo.meta")
    await client.send({"id": str(child.id), "name": "demo.meta", "stack": [str(parent.id)]}, queue=childs)
    assert (await client.final(child)).state.value == "REVOKED"
    assert (await client.starts_and_stops(child)) == (0, 1)


async def test_both_workers_tell_what_they_run(mixed: Mixed):
    results = [await mixed.client.submit("twin.hold", queue_name=queue) for queue in (MOGNET, MOGBOX)]
    ids = {result.id for result in results}
    nodes = await mixed.client.statuses(lambda nodes: len(nodes) == 2 and ids <= set().union(*nodes.values()), "both tell")
    assert sorted(len(ids & running) for running in nodes.values()) == [1, 1]
    for result in results:
        await mixed.client.write(result, go=True)
        assert await mixed.client.value(result) is True


SWAPS = [("mognet", "mogbox"), ("mogbox", "mognet")]


@pytest_asyncio.fixture
async def swapped(servers: Servers) -> AsyncIterator[Fleet]:
    """An application without workers, of which the test starts one of each kind."""
    fleet = Fleet(servers, "mognet")
    try:
        yield await fleet.open(("tasks",))
    finally:
        await fleet.close()


@pytest.mark.parametrize("first, second", SWAPS)
async def test_a_worker_of_one_kind_goes_on_with_what_one_of_the_other_gave_back(swapped: Fleet, first: str, second: str):
    worker, client = await swapped.start(first), swapped.client
    result = await client.submit("twin.hold")
    await client.until_state(result, "RUNNING")
    worker.stop()
    await client.until_state(result, "SUSPENDED")
    await swapped.start(second)
    await client.until_state(result, "RUNNING")
    await client.write(result, go="on")
    assert await client.value(result) == "on"
    assert await client.starts_and_stops(result) == (2, 2)


@pytest.mark.parametrize("first, second", SWAPS)
async def test_a_worker_of_one_kind_runs_what_waited_for_one_of_the_other(swapped: Fleet, first: str, second: str):
    worker, client = await swapped.start(first, concurrency=1), swapped.client
    running = await client.submit("twin.hold")
    await client.until_state(running, "RUNNING")
    waiting = [await client.submit("demo.add", number, 1) for number in range(3)]
    await client.until_arrived(3)
    worker.stop()
    await swapped.start(second)
    assert [await client.value(result) for result in waiting] == [1.0, 2.0, 3.0]
