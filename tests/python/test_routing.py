"""Queues: the client routes by the task's name or by the request's own queue; a worker serves those that it is told to."""

import uuid

import pytest
from mognet.exceptions.broker_exceptions import QueueNotFound

from client import Client, until
from conftest import Fleet


async def test_a_task_is_routed_by_its_name_unless_the_request_names_a_queue(fleet: Fleet):
    router = await fleet.connect(routes={"twin.request": "slow"}, queues=("tasks", "slow"))
    await router.submit("twin.request")
    await router.submit("twin.request", queue_name="tasks")
    await router.submit("demo.add", 1, 2)
    assert (await router.waiting("slow"), await router.waiting("tasks")) == (1, 2)


async def test_a_worker_serves_only_the_queues_that_it_is_told_to(fleet: Fleet):
    router = await fleet.connect(routes={"twin.echo": "slow"}, queues=("tasks", "slow"))
    await fleet.start(queues=("slow",))
    left = await router.submit("demo.add", 1, 2)
    assert await router.run("twin.echo", "by name") == "by name"
    assert await router.run("demo.add", 1, 2, queue_name="slow") == 3.0
    assert (await router.result(left)).state.value == "PENDING"
    assert (await router.waiting("tasks"), await router.consumers("tasks"), await router.consumers("slow")) == (1, 0, 1)
    await fleet.start(queues=("tasks",))
    assert await router.value(left) == 3.0


async def test_a_worker_leaves_alone_the_queues_that_it_excludes(fleet: Fleet):
    await fleet.start(queues=("tasks", "slow"), exclude=("slow",))
    left = await fleet.client.submit("demo.add", 1, 2, queue_name="slow")
    assert await fleet.client.run("demo.add", 1, 2) == 3.0
    assert (await fleet.client.result(left)).state.value == "PENDING"
    assert (await fleet.client.waiting("slow"), await fleet.client.consumers("slow")) == (1, 0)


async def test_a_child_goes_to_the_queue_that_its_parent_names(client: Client):
    child = uuid.UUID(await client.run("twin.spawn", "twin.request", [], "slow"))
    assert (await client.value(child))["name"] == "twin.request"


async def test_a_queue_that_nobody_declared_has_no_statistics(client: Client):
    with pytest.raises(QueueNotFound):
        await client.broker.task_queue_stats("never")


async def test_statistics_count_what_waits_and_who_consumes(fleet: Fleet):
    results = [await fleet.client.submit("demo.add", number, 1) for number in range(3)]
    await until(lambda: has(fleet.client, waiting=3, consumers=0), "three wait for nobody")
    await fleet.start()
    assert [await fleet.client.value(result) for result in results] == [1.0, 2.0, 3.0]
    await until(lambda: has(fleet.client, waiting=0, consumers=1), "none waits for one")


async def has(client: Client, waiting: int, consumers: int) -> bool:
    stats = await client.broker.task_queue_stats("tasks")
    assert stats.queue_name == "tasks"
    return (stats.message_count, stats.consumer_count) == (waiting, consumers)
