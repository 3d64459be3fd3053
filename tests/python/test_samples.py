"""Side by side: in each captured case, what a worker of Mognet's and a node of Mogbox's leave on Redis is the same, field by field."""

import json
import re
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, AsyncIterator

import pytest
import pytest_asyncio

from client import Client
from conftest import Fleet
from kinds import ADDED_TO_EXCEPTIONS
from servers import REPOSITORY
from snapshots import differences, keys, snapshot
from workers import KINDS, Servers

SAMPLES = {sample["case"]: sample for sample in json.loads((REPOSITORY / "tests/data/mognet/samples.json").read_text())}

Case = tuple[str, tuple, dict[str, Any]]
CASES: dict[str, Case] = {
    "success with metadata": ("demo.add", (1, 2), {"metadata": {"user_id": "dol", "tenant": 7}}),
    "task raises": ("demo.fail", (), {}),
    "set_metadata and state": ("demo.meta", (), {"metadata": {"user_id": "x"}}),
    "unknown task": ("demo.nope", (), {}),
    "invalid arguments": ("demo.add", (1, "q"), {}),
    "relative deadline, priority 9": ("demo.add", (), {"kwargs": {"n1": 1, "n2": 2}, "deadline": timedelta(seconds=5), "priority": 9}),
    "deadline already past": ("demo.add", (1, 2), {"deadline": datetime.now(timezone.utc) - timedelta(seconds=5)}),
    "runs a child": ("demo.child", (), {}),
    "recursion limit": ("demo.rec", (70,), {}),
    "revoke of an id that had no result": ("", (), {}),
}

# What differs by design: in which cases, where, and why. All else is a fault.
BY_DESIGN = [
    # A guest's failure carries no pickle: the client raises `Exception` with the same text.
    ("task raises|recursion limit", r".*/value > content > raw_value > (raw_data|raw_data_encoding|name)"),
    # What the client ignores.
    (".*", rf".*/value > content > raw_value > ({'|'.join(ADDED_TO_EXCEPTIONS)})"),
    # Shown to people only: the client makes the text of the exception by itself.
    ("unknown task", r"root/value > content > raw_value > message"),
    # A task says in its own words, not in those of pydantic, why arguments do not fit.
    ("invalid arguments", r"root/value > content > raw_value > (message|raw_data > (args|state))"),
    # A parent that fails as its child did says so in words of its own.
    ("recursion limit", r".*/value > content > raw_value > message"),
]


async def run(client: Client, case: str) -> dict[str, Any]:
    """Runs one case and answers all that it left."""
    before = await keys(client)
    name, args, fields = CASES[case]
    if name:
        root = (await client.submit(name, *args, **fields)).id
        await client.final(root)
    else:
        root = uuid.uuid4()
        await client.app.revoke(root)
    await client.statuses(lambda nodes: not any(nodes.values()), "nothing runs any more")
    return await snapshot(client, root, await keys(client) - before)


class Pair:
    """A worker of each kind, each with an application of its own. Each case is run once by either."""

    def __init__(self, servers: Servers):
        self.fleets = {kind: Fleet(servers, kind) for kind in KINDS}
        self._left: dict[tuple[str, str], dict[str, Any]] = {}

    async def left(self, kind: str, case: str) -> dict[str, Any]:
        """What a worker left of a case."""
        if (kind, case) not in self._left:
            self._left[kind, case] = await run(self.fleets[kind].client, case)
        return self._left[kind, case]


@pytest_asyncio.fixture(scope="module")
async def pair(servers: Servers) -> AsyncIterator[Pair]:
    pair = Pair(servers)
    try:
        for fleet in pair.fleets.values():
            await fleet.open(("tasks",))
            await fleet.start(concurrency=1)
        yield pair
    finally:
        for fleet in pair.fleets.values():
            await fleet.close()


def test_every_captured_case_is_here():
    assert list(CASES) == list(SAMPLES)


@pytest.mark.parametrize("case", CASES)
async def test_both_workers_leave_the_same(pair: Pair, case: str):
    theirs, ours = [await pair.left(kind, case) for kind in KINDS]
    found = differences(theirs, ours)
    assert {path: both for path, both in found.items() if not by_design(case, path)} == {}


def by_design(case: str, path: str) -> bool:
    return any(re.fullmatch(cases, case) and re.fullmatch(paths, path) for cases, paths in BY_DESIGN)


@pytest.mark.parametrize("case", CASES)
async def test_both_workers_leave_what_was_captured(pair: Pair, case: str):
    captured = SAMPLES[case]["redis"]
    for kind in KINDS:
        left = await pair.left(kind, case)
        assert {key.removeprefix("root") or "/" for key in left if re.fullmatch("root(/.*)?", key)} == set(captured)
        fields = {name: json.loads(text) for name, text in captured["/"]["fields"].items()}
        same = ("name", "state", "number_of_starts", "number_of_stops", "parent_id", "request_kwargs_repr")
        assert {name: left["root"]["content"][name] for name in same} == {name: fields[name] for name in same}
        assert left["root/value"]["content"]["value_type"] == captured["/value"]["fields"]["contents (after gunzip)"]["value_type"]
