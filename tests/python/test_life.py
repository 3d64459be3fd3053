"""How long what is stored lives: results, metadata and children three weeks, values one."""

import pytest

from client import Client
from kinds import mogbox_only

DAY = 86_400
SLACK = 120
LIVES = {"": 21 * DAY, "/metadata": 21 * DAY, "/children": 21 * DAY, "/value": 7 * DAY}

TASKS = {
    "success": ("demo.child", ()),
    "failure": ("demo.fail", ()),
    "unknown": ("demo.nope", ()),
    "invalid": ("demo.add", ("q",)),
    "metadata": ("demo.meta", ()),
}


@pytest.mark.parametrize("name, args", TASKS.values(), ids=TASKS)
async def test_every_key_of_a_result_has_its_time_to_live(client: Client, name: str, args: tuple):
    result = await client.submit(name, *args, metadata={"a": 1})
    await client.final(result)
    found = {part: await client.redis.ttl(client.key(result, part)) for part in LIVES}
    assert (found["/children"] > 0) == (name == "demo.child")
    for part, life in found.items():
        assert life == -2 or LIVES[part] - SLACK <= life <= LIVES[part], f"{part or '/'} lives {life} s"
    assert all(found[part] > 0 for part in ("", "/metadata", "/value"))


async def test_a_result_lives_three_weeks_from_its_last_change(client: Client):
    result = await client.submit("twin.hold")
    await client.until_state(result, "RUNNING")
    await client.redis.expire(client.key(result), 1_000)
    # Mogbox leaves the life of a result as it is for an hour.
    await client.redis.hset(client.key(result), "created", '"2026-01-01T00:00:00.000000Z"')
    await client.write(result, go=True)
    await client.final(result)
    assert LIVES[""] - SLACK <= await client.redis.ttl(client.key(result)) <= LIVES[""]


async def test_no_key_of_what_ran_lives_for_ever(client: Client):
    results = [await client.submit(name, *args, metadata={"a": 1}) for name, args in TASKS.values()]
    for result in results:
        await client.final(result)
        keys = [key async for key in client.redis.scan_iter(f"{client.name}.mognet.*{result.id}*")]
        assert keys and all([await client.redis.ttl(key) > 0 for key in keys])


# Mognet leaves the value that a revocation stores without a time to live.
@mogbox_only
async def test_the_value_of_what_was_revoked_while_it_ran_has_a_time_to_live(client: Client):
    result = await client.submit("twin.hold")
    await client.until_state(result, "RUNNING")
    await client.app.revoke(result.id)
    await client.until_not_running(result)
    assert LIVES["/value"] - SLACK <= await client.redis.ttl(client.key(result, "/value")) <= LIVES["/value"]
