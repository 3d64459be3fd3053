"""Ends of workers: in good order, after which others go on with what ran, and crashes."""

import asyncio
from dataclasses import replace
from pathlib import Path

from mognet.exceptions.too_many_retries import TooManyRetries

from client import until
from conftest import Fleet
from kinds import mogbox_only
from servers import Redis
from workers import Servers, Worker


async def test_a_worker_that_stops_gives_back_what_it_runs(fleet: Fleet):
    worker, client = await fleet.start(), fleet.client
    result = await client.submit("twin.hold")
    await client.until_state(result, "RUNNING")
    worker.stop()
    suspended = await client.until_state(result, "SUSPENDED")
    assert (suspended.number_of_starts, suspended.number_of_stops, suspended.finished) == (1, 1, None)
    await fleet.start()
    await client.until_state(result, "RUNNING")
    await client.write(result, go="done")
    assert await client.value(result) == "done"
    assert await client.starts_and_stops(result) == (2, 2)


async def test_what_waits_in_the_queue_outlives_a_worker_that_stops(fleet: Fleet):
    worker, client = await fleet.start(concurrency=1), fleet.client
    running = await client.submit("twin.hold")
    await client.until_state(running, "RUNNING")
    pending = [await client.submit("demo.add", number, 1) for number in range(3)]
    worker.stop()
    await fleet.start()
    assert [await client.value(result) for result in pending] == [1.0, 2.0, 3.0]
    await client.write(running, go=True)
    assert await client.value(running) is True


async def test_another_worker_takes_over_from_one_that_crashes(fleet: Fleet):
    worker, client = await fleet.start(), fleet.client
    result = await client.submit("twin.hold")
    await client.until_state(result, "RUNNING")
    worker.kill()
    second = await fleet.start()
    await started(fleet, second, result, 2)
    await client.write(result, go="done")
    assert await client.value(result) == "done"
    assert await client.starts_and_stops(result) == (2, 1)


async def started(fleet: Fleet, worker: Worker, result: object, times: int) -> None:
    async def so_often() -> bool:
        assert not worker.process.ended, worker.process.fail("the worker ended")
        return (await fleet.client.starts_and_stops(result))[0] == times

    await until(so_often, f"start {times}")


async def test_the_fifth_start_of_a_request_that_crashes_its_workers_fails(fleet: Fleet):
    result = await fleet.client.submit("twin.hold")
    for times in range(1, 5):
        worker = await fleet.start()
        await started(fleet, worker, result, times)
        worker.kill()
    await fleet.start()
    error = await fleet.client.error(result)
    assert type(error) is TooManyRetries and error.actual_retries == 4
    assert await fleet.client.starts_and_stops(result) == (4, 1)


# Mognet counts no start more than stops for a request that waits for a child, and so begins it for ever.
@mogbox_only
async def test_crashes_while_a_request_waits_are_counted_as_well(fleet: Fleet):
    # The child is in a queue that nobody serves.
    result = await fleet.client.submit("twin.run", "twin.hold", [], "slow")
    for children in range(1, 5):
        worker = await fleet.start()

        async def waits() -> bool:
            found = await fleet.client.result(result)
            return found.state.value == "SUSPENDED" and len(await fleet.client.children(result)) == children

        await until(waits, f"it waits for child {children}")
        worker.kill()
    await fleet.start()
    assert type(await fleet.client.error(result)) is TooManyRetries


# Without a lease, a worker of Mognet's that was only slow runs beside the one that got its request, and overwrites what that one stored.
@mogbox_only
async def test_a_worker_that_was_silent_too_long_does_not_overwrite_its_successor(fleet: Fleet):
    first, client = await fleet.start(), fleet.client
    result = await client.submit("twin.hold")
    await client.until_state(result, "RUNNING")
    second = await fleet.start()
    first.process.suspend()
    await started(fleet, second, result, 2)
    await client.write(result, go="second")
    assert await client.value(result) == "second"
    final = await client.hash(result)
    first.process.resume()
    await client.statuses(lambda nodes: len(nodes) == 2 and not any(nodes.values()), "both are idle")
    assert await client.hash(result) == final


# Mognet's worker fails to store the value, gives the request back, and so runs it once more.
@mogbox_only
async def test_a_success_outlives_an_outage_of_redis(servers: Servers, kind: str, tmp_path: Path):
    redis = Redis(tmp_path)
    fleet = Fleet(replace(servers, redis=redis.url), kind)
    try:
        await fleet.open(("tasks",))
        await fleet.start()
        result = await fleet.client.submit("twin.sleep", 0.5)
        await fleet.client.until_state(result, "RUNNING")
        async with fleet.client.redis.client() as operator:
            # Nobody else gets a connection, from before the run ends until well after, but not for as long as a lease.
            await operator.config_set("maxclients", 1)
            await operator.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await asyncio.sleep(1.2)
            await operator.config_set("maxclients", 1_000)
        assert await fleet.client.value(result) == 0.5
        assert await fleet.client.starts_and_stops(result) == (1, 1)
    finally:
        await fleet.close()
        redis.kill()
