"""Deadlines: a duration counts from the start of the run, a time is absolute; past it, the request is REVOKED."""

import asyncio
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from mognet import Result
from mognet.exceptions.result_exceptions import Revoked

from client import Client, until
from kinds import mogbox_only
from workers import ZONE_HOURS

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(timezone.utc)


def workers_local_time() -> datetime:
    """Without a zone, as a client's `datetime.now()` would be in the zone of the workers."""
    return datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=ZONE_HOURS)


async def assert_revoked(client: Client, given: "Result | uuid.UUID", starts: int):
    """The client raises that it was revoked, and beneath lies a time-out; it was started so many times."""
    assert type(await client.error(given)) is Revoked
    error = await client.stored_error(given)
    assert type(error) is asyncio.TimeoutError and error.args == ()
    final = await client.final(given)
    assert (final.state.value, final.number_of_starts, final.number_of_stops) == ("REVOKED", starts, 1)
    assert (final.started is None) == (starts == 0) and final.finished is not None


async def test_a_request_within_its_duration_succeeds(client: Client):
    assert await client.run("demo.add", 1, 2, deadline=timedelta(seconds=60)) == 3.0


@pytest.mark.parametrize("deadline", ["PT60S", "PT60.5S", "P1DT2H", "P3D", 60, 60.5, 1_764_072_000])
async def test_a_duration_is_in_iso_8601_or_a_number_of_seconds(client: Client, deadline: object):
    assert await client.value(await client.publish("demo.add", 1, 2, deadline=deadline)) == 3.0


async def test_a_request_that_runs_longer_than_its_duration_is_revoked(client: Client):
    await assert_revoked(client, await client.submit("twin.sleep", 600, deadline=timedelta(seconds=0.3)), starts=1)


@pytest.mark.parametrize("deadline", ["PT0.3S", 0.3])
async def test_a_duration_in_any_form_stops_the_run(client: Client, deadline: object):
    await assert_revoked(client, await client.publish("twin.sleep", 600, deadline=deadline), starts=1)


@pytest.mark.parametrize("deadline", ["-PT5S", "PT0S", -5, -0.5, 0])
async def test_a_duration_that_leaves_no_time_is_over_with_the_start(client: Client, deadline: object):
    await assert_revoked(client, await client.publish("twin.sleep", 600, deadline=deadline), starts=1)


async def test_a_duration_counts_from_the_start_and_not_from_the_submission(serial: Client):
    async with serial.busy(pending=1):
        result = await serial.submit("twin.sleep", 0.01, deadline=timedelta(seconds=0.5))
        submitted = now()
        await until(lambda: passed(submitted + timedelta(seconds=0.7)), "the duration has passed in the queue")
    assert await serial.value(result) == 0.01


async def passed(time: datetime) -> bool:
    return now() > time


@pytest.mark.parametrize("offset", [0, 9, -7.5])
async def test_a_time_to_come_in_any_zone_is_kept(client: Client, offset: float):
    zone = timezone(timedelta(hours=offset))
    assert await client.run("demo.add", 1, 2, deadline=datetime.now(zone) + HOUR / 60) == 3.0


@pytest.mark.parametrize("offset", [0, 9, -7.5])
async def test_a_time_that_is_past_revokes_without_a_start(client: Client, offset: float):
    zone = timezone(timedelta(hours=offset))
    await assert_revoked(client, await client.submit("demo.add", 1, 2, deadline=datetime.now(zone) - HOUR / 60), starts=0)


async def test_a_time_without_zone_is_local_to_the_worker_and_not_utc(client: Client):
    coming = workers_local_time() + 5 * HOUR
    assert await client.run("demo.add", 1, 2, deadline=coming) == 3.0
    past_here_but_not_in_utc = workers_local_time() - HOUR
    await assert_revoked(client, await client.submit("demo.add", 1, 2, deadline=past_here_but_not_in_utc), starts=0)


async def test_a_time_that_passes_during_the_run_revokes(client: Client):
    result = await client.submit("twin.sleep", 600, deadline=now() + timedelta(seconds=3))
    await client.until_state(result, "RUNNING")
    await assert_revoked(client, result, starts=1)


async def test_a_time_that_passes_in_the_queue_revokes_without_a_start(serial: Client):
    async with serial.busy(pending=1):
        deadline = now() + timedelta(seconds=0.3)
        result = await serial.submit("demo.add", 1, 2, deadline=deadline)
        await until(lambda: passed(deadline), "the deadline is past")
    await assert_revoked(serial, result, starts=0)


# Mognet's parent swallows the cancellation while it waits for a child, and succeeds with nothing.
@mogbox_only
async def test_a_deadline_revokes_a_request_that_waits_for_its_child(client: Client):
    result = await client.submit("twin.run", "twin.hold", [], deadline=timedelta(seconds=1))
    assert type(await client.error(result)) is Revoked
    assert type(await client.stored_error(result)) is asyncio.TimeoutError
