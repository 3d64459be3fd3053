"""Children: submitted by a running task, linked to it, waited for while it is SUSPENDED."""

import uuid

import pytest

from client import Client


async def test_a_child_is_linked_to_its_parent_both_ways(client: Client):
    parent = await client.submit("demo.child")
    assert await client.value(parent) == 3.0
    [child] = await client.children(parent)
    assert await client.redis.smembers(client.key(parent, "/children")) == {child.bytes}
    stored = await client.hash(child)
    assert (stored["parent_id"], stored["name"], stored["state"]) == (str(parent.id), "demo.add", "SUCCESS")
    assert (await client.hash(parent))["parent_id"] is None


async def test_the_stack_of_a_request_is_its_ancestors_outermost_first(client: Client):
    outermost = await client.submit("twin.lineage", 3)
    ancestors, given = [], outermost.id
    stack = await client.value(outermost)
    for _ in range(3):
        ancestors.append(str(given))
        [given] = await client.children(given)
    assert stack == ancestors


async def test_the_client_draws_the_tree_of_a_request(client: Client):
    root = await client.submit("twin.tree", 2, 2)
    assert await client.value(root) == 7
    tree = await (await client.result(root)).tree()
    assert tree.result.id == root.id and [len(child.children) for child in tree.children] == [2, 2]
    nodes = [tree, *tree.children, *(leaf for child in tree.children for leaf in child.children)]
    assert {(node.result.name, node.result.state.value) for node in nodes} == {("twin.tree", "SUCCESS")}
    assert all(child.result.parent_id == root.id for child in tree.children)


async def test_a_child_that_nobody_waits_for_outlives_its_parent(client: Client):
    parent = await client.submit("twin.spawn", "twin.hold", [])
    child = uuid.UUID(await client.value(parent))
    assert (await client.until_state(child, "RUNNING")).parent_id == parent.id
    await client.write(child, go="late")
    assert await client.value(child) == "late"
    assert await client.starts_and_stops(parent) == (1, 1)


async def test_a_parent_is_suspended_while_it_waits_and_runs_again_after(client: Client):
    parent = await client.submit("twin.run_then_hold", "twin.hold", [])
    await client.until_state(parent, "SUSPENDED")
    assert await client.starts_and_stops(parent) == (1, 1)
    [child] = await client.children(parent)
    await client.until_state(child, "RUNNING")
    assert (await client.result(parent)).state.value == "SUSPENDED"
    await client.write(child, go=7)
    await client.until_metadata(parent, "went_on")
    assert (await client.result(parent)).state.value == "RUNNING"
    assert await client.starts_and_stops(parent) == (2, 1)
    await client.write(parent, go=True)
    assert await client.value(parent) == 7
    assert await client.starts_and_stops(parent) == (1, 1)


async def test_a_worker_takes_on_one_more_for_each_that_waits(serial: Client):
    assert await serial.run("twin.tree", 2, 3) == 15


async def test_a_parent_that_waits_does_not_keep_others_from_running(serial: Client):
    parent = await serial.submit("twin.run", "twin.hold", [])
    await serial.until_state(parent, "SUSPENDED")
    [child] = await serial.children(parent)
    await serial.until_state(child, "RUNNING")
    # The child has the one place, and the parent none.
    await serial.write(child, go="now")
    assert await serial.value(parent) == "now"


ENDS = {
    "success": ("demo.add", [1, 2], "SUCCESS", "3.0"),
    "failure": ("demo.fail", [], "FAILURE", "boom"),
    "unknown task": ("demo.nope", [], "INVALID", "demo.nope"),
    "arguments that do not fit": ("demo.add", ["q"], "INVALID", ""),
}


@pytest.mark.parametrize("name, args, state, text", ENDS.values(), ids=ENDS)
async def test_a_parent_sees_how_its_child_ended(client: Client, name: str, args: list, state: str, text: str):
    [[seen, words]] = await client.run("twin.outcome", name, args)
    assert seen == state and text in words


async def test_a_parent_sees_that_its_child_was_revoked(client: Client):
    parent = await client.submit("twin.outcome", "twin.hold", [])
    await client.until_state(parent, "SUSPENDED")
    [child] = await client.children(parent)
    await client.until_state(child, "RUNNING")
    await client.app.revoke(child)
    assert (await client.value(parent))[0][0] == "REVOKED"
    assert (await client.result(parent)).state.value == "SUCCESS"


async def test_a_parent_that_minds_fails_as_its_child_does(client: Client):
    parent = await client.submit("twin.run", "demo.fail", [])
    assert "boom" in str(await client.error(parent))
    assert (await client.result(parent)).state.value == "FAILURE"


async def test_a_child_has_none_of_its_parents_metadata(client: Client):
    assert await client.run("twin.run", "twin.read", [], metadata={"user_id": "dol"}) == {}
