"""Control messages and tools: who runs what, and queues that are emptied."""

import json
import uuid

from mognet.broker.base_broker import MessagePayload

from client import Client, until
from conftest import Fleet
from kinds import mogbox_only


async def test_nodes_tell_what_they_run(client: Client):
    result = await client.submit("twin.hold")
    nodes = await client.statuses(lambda nodes: any(result.id in ids for ids in nodes.values()), "a node runs it")
    [node] = [node for node, ids in nodes.items() if result.id in ids]
    assert node == (await client.result(result)).node_id
    await client.write(result, go=True)
    await client.final(result)
    await client.until_not_running(result)


async def test_what_waits_for_a_child_is_told_as_well(client: Client):
    parent = await client.submit("twin.run", "twin.hold", [])
    await client.until_state(parent, "SUSPENDED")
    [child] = await client.children(parent)
    wanted = {parent.id, child}
    await client.statuses(lambda nodes: any(wanted <= ids for ids in nodes.values()), "a node runs both")
    await client.write(child, go=True)
    await client.final(parent)


async def test_control_messages_that_nobody_understands_do_no_harm(client: Client):
    for kind, payload in [("Nonsense", {}), ("Query", {"id": str(uuid.uuid4()), "name": "Nonsense"}), ("Revoke", {}), ("Query", {})]:
        await client.broker.send_control_message(MessagePayload(id=str(uuid.uuid4()), kind=kind, payload=payload))
    result = await client.submit("twin.tick")
    await client.until_metadata(result, "tick")
    await client.app.revoke(result.id)
    await client.until_not_running(result)


async def test_a_purge_while_a_worker_is_busy_takes_what_waits(serial: Client):
    async with serial.busy(pending=5):
        purged = [await serial.submit("demo.meta") for _ in range(5)]
        await serial.until_waiting(5)
        assert await serial.app.purge_task_queues() == {"tasks": 5}
    assert await serial.run("demo.add", 1, 2) == 3.0
    assert [(await serial.result(result)).state.value for result in purged] == ["PENDING"] * 5


async def test_a_purge_of_an_empty_queue_takes_nothing(client: Client):
    assert await client.run("demo.add", 1, 2) == 3.0
    assert await client.app.purge_task_queues() == {"tasks": 0, "slow": 0}
    assert await client.run("demo.add", 1, 2) == 3.0


async def test_a_worker_that_stops_is_told_of_no_more(fleet: Fleet):
    worker = await fleet.start()
    await fleet.client.statuses(lambda nodes: len(nodes) == 1, "it answers")
    other = await fleet.start()
    await fleet.client.statuses(lambda nodes: len(nodes) == 2, "both answer")
    worker.stop()

    async def one_consumer() -> bool:
        return await fleet.client.consumers() == 1

    await until(one_consumer, "one consumes")
    nodes = await fleet.client.statuses(lambda nodes: len(nodes) == 1, "the other answers")
    assert not other.process.ended and len(nodes) == 1


# Mognet's command line leaves the results of what it purges as they are.
@mogbox_only
async def test_a_purge_takes_what_waits_for_a_node_without_a_place_and_revokes_it(fleet: Fleet):
    node = await fleet.start(concurrency=1)
    async with fleet.client.busy():
        waiting = [await fleet.client.submit("demo.meta") for _ in range(5)]
        await fleet.client.until_waiting(5)
        done = node.command("queues", "purge", "tasks", "--force", "--tenant", fleet.app, "--json")
        assert json.loads(done) == {"queue": "tasks", "purged": 5, "complete": True}
    assert [(await fleet.client.result(result)).state.value for result in waiting] == ["REVOKED"] * 5
