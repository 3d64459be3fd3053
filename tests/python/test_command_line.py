"""Mognet's own command line, on what a worker stored."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest_asyncio

from client import Client
from conftest import Fleet
from servers import DEADLINE


class Tool:
    """`python -m mognet twin …` for the application that the tests share."""

    def __init__(self, fleet: Fleet):
        servers = fleet.servers
        twin = {"TWIN_APP": fleet.app, "TWIN_REDIS": servers.redis, "TWIN_AMQP": servers.amqp, "TWIN_NODE": "tool"}
        self._environment = {**os.environ, **twin, "PYTHONPATH": str(Path(__file__).parent)}

    async def __call__(self, *arguments: object) -> str:
        command = [sys.executable, "-m", "mognet", "twin", *map(str, arguments)]
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        process = await asyncio.create_subprocess_exec(*command, env=self._environment, **pipes)
        output, log = await asyncio.wait_for(process.communicate(), DEADLINE)
        assert process.returncode == 0, log.decode()
        return output.decode()


@pytest_asyncio.fixture(scope="session")
async def tool(shared: Fleet) -> Tool:
    return Tool(shared)


async def test_it_shows_a_result_with_its_value(client: Client, tool: Tool):
    result = await client.submit("demo.add", 1, 2, metadata={"user_id": "dol"})
    await client.final(result)
    shown = await tool("tasks", "get", result.id, "--include-value")
    assert all(text in shown for text in (str(result.id), "demo.add", "SUCCESS", "1, 2", "'user_id': 'dol'", "3.0")), shown


async def test_it_draws_the_tree_of_a_result(client: Client, tool: Tool):
    result = await client.submit("twin.tree", 2, 1)
    await client.final(result)
    drawn = json.loads(await tool("tasks", "tree", result.id, "--format", "json"))
    assert drawn["result"]["id"] == str(result.id) and len(drawn["children"]) == 2


async def test_it_revokes_what_runs(client: Client, tool: Tool):
    result = await client.submit("twin.tick")
    await client.until_metadata(result, "tick")
    await tool("tasks", "revoke", result.id)
    await client.until_not_running(result)
    assert (await client.result(result)).state.value == "REVOKED"
