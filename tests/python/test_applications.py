"""Applications are kept apart, also those of one node."""

import pytest
from mognet.tasks.task_registry import UnknownTask

from client import Client
from conftest import Fleet
from kinds import mogbox_only
from workers import MogboxNode


async def test_an_application_knows_nothing_of_anothers_results(client: Client, serial: Client):
    result = await client.submit("demo.add", 1, 2)
    await client.final(result)
    assert await serial.app.result_backend.get(result.id) is None
    assert [key async for key in serial.redis.scan_iter(f"*{result.id}*")] == []


async def test_a_worker_runs_nothing_of_an_application_that_it_was_not_started_for(fleet: Fleet, kind: str):
    neighbour = Fleet(fleet.servers, kind)
    neighbour.servers = fleet.servers
    try:
        await neighbour.open(("tasks",))
        await fleet.start(concurrency=1)
        await neighbour.start(concurrency=1)
        async with fleet.client.busy(pending=1):
            waiting = await fleet.client.submit("demo.add", 1, 2)
            await fleet.client.until_arrived(1)
            assert [await neighbour.client.run("demo.add", number, 1) for number in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0]
            assert (await fleet.client.result(waiting)).state.value == "PENDING"
        assert await fleet.client.value(waiting) == 3.0
    finally:
        await neighbour.close()


# Mognet's worker has one application.
@mogbox_only
async def test_one_node_serves_several_applications_and_keeps_them_apart(fleet: Fleet):
    names = [f"{fleet.app}-{letter}" for letter in "bc"]
    node = await fleet.start(more_apps=names)
    assert isinstance(node, MogboxNode)
    node.push(names[0])
    # Queues that the node has declared are those that the client declares.
    first, second, third = fleet.client, await fleet.connect(names[0]), await fleet.connect(names[1])

    same = await first.submit("twin.hold", metadata={"of": "first"})
    mine = await second.submit("twin.hold", id=same.id, metadata={"of": "second"})
    await first.until_state(same, "RUNNING")
    await second.until_state(mine, "RUNNING")
    await first.write(same, go="first")
    assert await first.value(same) == "first"
    assert (await second.result(mine)).state.value == "RUNNING"
    assert (await first.metadata(same), await second.metadata(mine)) == ({"of": "first", "go": "first"}, {"of": "second"})
    await second.write(mine, go="second")
    assert await second.value(mine) == "second"
    # No module of this one serves the task.
    assert type(await third.error(await third.submit("demo.add", 1, 2))) is UnknownTask


# Mognet's worker has one application.
@mogbox_only
async def test_an_application_is_not_told_what_runs_of_another(fleet: Fleet):
    name = f"{fleet.app}-b"
    other = await fleet.connect(name)
    await fleet.start(more_apps=[name])
    result = await fleet.client.submit("twin.hold")
    await fleet.client.statuses(lambda nodes: any(result.id in ids for ids in nodes.values()), "it runs")
    nodes = await other.statuses(lambda nodes: True, "the node answers")
    assert set().union(*nodes.values()) == set()
    await other.app.revoke(result.id)
    await fleet.client.write(result, go=True)
    assert await fleet.client.value(result) is True


@pytest.mark.parametrize("slash", ["", "/", "/%2F"])
async def test_the_address_of_rabbitmq_is_understood_as_the_client_does(fleet: Fleet, slash: str):
    fleet.servers.amqp += slash
    await fleet.start()
    assert await fleet.client.run("demo.add", 1, 2) == 3.0
