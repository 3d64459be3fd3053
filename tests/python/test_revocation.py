"""Revocations: the client writes REVOKED and tells the nodes; who runs it stops, and nobody overwrites it."""

import uuid

import pytest
from mognet import ResultState
from mognet.exceptions.result_exceptions import Revoked

from client import Client, Id
from conftest import Fleet
from kinds import mogbox_only


async def ticking(client: Client) -> uuid.UUID:
    """A request that runs, and shows so in its metadata."""
    result = await client.submit("twin.tick")
    await client.until_metadata(result, "tick", lambda tick: tick is not None and tick >= 2)
    return result.id


async def assert_stopped(client: Client, given: Id):
    """It runs on no node and has no effect any more, while another request runs for a while."""
    await client.until_not_running(given)
    before = await client.metadata(given)
    await client.run("twin.sleep", 0.2)
    assert await client.metadata(given) == before


async def assert_revoked(client: Client, given: Id, starts: int, stops: int):
    assert type(await client.error(given)) is Revoked
    final = await client.result(given)
    assert (final.state.value, final.number_of_starts, final.number_of_stops) == ("REVOKED", starts, stops)
    assert final.revoked and final.finished is not None


async def test_a_request_that_is_revoked_before_its_start_never_runs(serial: Client):
    async with serial.busy(pending=2):
        result = await serial.submit("demo.meta")
        await serial.app.revoke(result.id)
        later = await serial.submit("demo.add", 1, 2)
    await serial.final(later)
    await assert_revoked(serial, result, starts=0, stops=1)
    assert (await serial.result(result)).started is None and await serial.metadata(result) == {}


async def test_a_request_that_is_revoked_while_it_runs_stops(client: Client):
    request = await ticking(client)
    revoked = await client.app.revoke(request)
    assert (revoked.id, revoked.state.value) == (request, "REVOKED")
    await assert_stopped(client, request)
    await assert_revoked(client, request, starts=1, stops=1)


async def test_the_worker_writes_nothing_over_a_revoked_result(client: Client):
    request = await ticking(client)
    await client.app.revoke(request)
    revoked = await client.hash(request)
    await client.until_not_running(request)
    await client.run("twin.sleep", 0.2)
    assert await client.hash(request) == revoked


async def test_a_revocation_after_the_end_changes_nothing(client: Client):
    result = await client.submit("demo.add", 1, 2)
    await client.final(result)
    before = await client.hash(result)
    assert (await client.app.revoke(result.id)).state.value == "SUCCESS"
    assert await client.hash(result) == before and await client.value(result) == 3.0


async def test_a_revocation_after_the_end_does_not_reach_the_children(client: Client):
    parent = await client.submit("twin.spawn", "twin.hold", [])
    child = uuid.UUID(await client.value(parent))
    await client.until_state(child, "RUNNING")
    await client.app.revoke(parent.id)
    await client.write(child, go="on")
    assert await client.value(child) == "on"


async def test_a_forced_revocation_reaches_what_is_final_and_its_children(client: Client):
    parent = await client.submit("twin.spawn", "twin.tick", [])
    child = uuid.UUID(await client.value(parent))
    await client.until_metadata(child, "tick")
    await client.app.revoke(parent.id, force=True)
    await assert_revoked(client, parent, starts=1, stops=2)
    await assert_stopped(client, child)
    await assert_revoked(client, child, starts=1, stops=1)


async def test_a_revocation_reaches_all_descendants(client: Client):
    root = await client.submit("twin.run", "twin.run", ["twin.tick", []])
    await client.until_state(root, "SUSPENDED")
    family = [root.id]
    for _ in range(2):
        [child] = await client.children(family[-1])
        await client.until_state(child, "SUSPENDED", "RUNNING")
        family.append(child)
        if len(family) == 2:
            await client.until_state(child, "SUSPENDED")
    await client.until_metadata(family[-1], "tick")
    await client.app.revoke(root.id)
    for member in family:
        await assert_stopped(client, member)
        assert (await client.result(member)).state.value == "REVOKED"
        assert type(await client.error(member)) is Revoked


async def test_a_revoked_child_leaves_its_siblings_alone(client: Client):
    siblings = [await ticking(client), await ticking(client)]
    await client.app.revoke(siblings[0])
    await assert_stopped(client, siblings[0])
    tick = (await client.metadata(siblings[1]))["tick"]
    await client.until_metadata(siblings[1], "tick", lambda now: now > tick)
    await client.app.revoke(siblings[1])


async def test_an_id_that_nobody_knows_is_revoked_all_the_same(client: Client):
    unknown = uuid.uuid4()
    assert (await client.app.revoke(unknown)).state.value == "REVOKED"
    await assert_revoked(client, unknown, starts=0, stops=1)
    assert (await client.result(unknown)).name is None


async def test_a_request_whose_id_was_revoked_before_it_came_never_runs(serial: Client):
    early = uuid.uuid4()
    async with serial.busy(pending=2):
        await serial.send({"id": str(early), "name": "demo.meta"})
        await serial.app.revoke(early)
        later = await serial.submit("demo.add", 1, 2)
    await serial.final(later)
    await assert_revoked(serial, early, starts=0, stops=1)
    assert await serial.metadata(early) == {}


async def test_a_revocation_of_another_applications_request_does_nothing_here(client: Client, serial: Client):
    request = await ticking(client)
    await serial.app.revoke(request)
    tick = (await client.metadata(request))["tick"]
    await client.until_metadata(request, "tick", lambda now: now > tick)
    assert (await client.result(request)).state.value == "RUNNING"
    await client.app.revoke(request)
    await assert_stopped(client, request)


# Mognet's workers learn of a revocation by its broadcast only, which is lost after 30 s without a listener.
@mogbox_only
async def test_a_result_that_is_revoked_without_a_broadcast_stops_the_run(client: Client):
    request = await ticking(client)
    # As `App.revoke` does, which broadcasts it then.
    await (await client.app.result_backend.get_or_create(request)).revoke()
    await assert_stopped(client, request)
    await assert_revoked(client, request, starts=1, stops=1)


# Mognet's worker writes the whole result without looking at what is there.
@mogbox_only
@pytest.mark.parametrize("state", ["REVOKED", "FAILURE", "INVALID"])
async def test_a_late_worker_does_not_overwrite_what_is_final(fleet: Fleet, state: str):
    worker, client = await fleet.start(), fleet.client
    request = await client.submit("twin.hold")
    await client.until_state(request, "RUNNING")
    worker.process.suspend()
    result = await client.result(request)
    final = result.model_copy(update={"state": ResultState(state), "number_of_stops": 1})
    await client.app.result_backend.set(request.id, final)
    await client.write(request, go=True)
    worker.process.resume()
    await client.until_not_running(request)
    assert (await client.result(request)).state.value == state
    assert await client.starts_and_stops(request) == (1, 1)


# Mognet's parent swallows the cancellation while it waits for a child, and goes on.
@mogbox_only
async def test_a_revoked_parent_that_waits_goes_no_further(client: Client):
    parent = await client.submit("twin.run_then_hold", "twin.hold", [])
    await client.until_state(parent, "SUSPENDED")
    await client.app.revoke(parent.id)
    await assert_stopped(client, parent)
    assert "went_on" not in await client.metadata(parent)
