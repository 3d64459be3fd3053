"""Fixtures: one Redis and one RabbitMQ for all tests, and workers of both kinds.

    MOGBOX=…/mogbox TWIN=…/guest-twin.wasm python -m pytest tests/python

MOGBOX is the binary and TWIN the component of tests/guests/twin; Python has requirements.txt installed. What is missing is an error.
Each test that depends on `kind` runs with Mognet's own worker and with Mogbox. Mognet's is the judge: what a test says must hold with
it, too. Tests under `mogbox_only` say in a comment which difference makes them so. `--worker KIND` runs those of one kind.
"""

import shutil
import tempfile
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import AsyncIterator, Iterator

import pytest
import pytest_asyncio

import workers
from client import Client
from servers import RabbitMq, Redis
from workers import KINDS, Servers, Setting, Worker


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--worker", choices=KINDS, help="run the tests of this kind of worker only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--worker")
    other = [item for item in items if wanted and kind_of(item) != wanted]
    if other:
        items[:] = [item for item in items if kind_of(item) == wanted]
        config.hook.pytest_deselected(items=other)


def kind_of(item: pytest.Item) -> str:
    """Tests of a mixed fleet need both kinds, and so a node."""
    given = getattr(item, "callspec", None)
    return given.params.get("kind", "mogbox") if given else "mogbox"


class Fleet:
    """Starts workers, and clients, for one application, and ends them."""

    def __init__(self, servers: Servers, kind: str):
        self.servers, self.kind = servers.apart(), kind
        self.app = f"app-{uuid.uuid4().hex[:12]}"
        self._open = AsyncExitStack()
        self._workers: list[Worker] = []
        self._pushed = False
        self.client: Client

    async def open(self, queues: tuple[str, ...]) -> "Fleet":
        self.client = await self.connect(queues=queues)
        return self

    async def connect(self, app: str = "", **more: object) -> Client:
        return await self._open.enter_async_context(Client(self.servers, app or self.app, **more))

    async def start(self, kind: str = "", **setting: object) -> Worker:
        """Starts a worker, of the test's kind where none is given, and waits until it takes requests."""
        wanted = Setting(app=self.app, **setting)
        before = {queue: await self.client.consumers(queue) for queue in wanted.served}
        if (kind or self.kind) == "mogbox":
            await self.push()
        worker = workers.start(kind or self.kind, self.servers, wanted)
        self._workers.append(worker)
        await self.client.until_ready(worker, before)
        return worker

    async def push(self) -> None:
        """Uploads the tasks before a node takes requests that may wait already."""
        if not self._pushed:
            node = workers.MogboxNode(self.servers, Setting(app=self.app, queues=("uploads",), offline=True))
            self._workers.append(node)
            node.push(self.app)
            node.kill()
            self._pushed = True

    async def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        await self._open.aclose()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="mogbox-python-tests-"))
    redis = rabbitmq = None
    try:
        redis, rabbitmq = Redis(folder), RabbitMq(folder)
        yield Servers(redis.url, rabbitmq.url, folder)
    finally:
        for server in (redis, rabbitmq):
            if server is not None:
                server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


async def opened(servers: Servers, kind: str, queues: tuple[str, ...] = ("tasks", "slow")) -> AsyncIterator[Fleet]:
    fleet = Fleet(servers, kind)
    try:
        yield await fleet.open(queues)
    finally:
        await fleet.close()


@pytest_asyncio.fixture(scope="session")
async def shared(servers: Servers, kind: str) -> AsyncIterator[Fleet]:
    """One worker that runs many requests at once, of two queues."""
    async for fleet in opened(servers, kind):
        await fleet.start(queues=("tasks", "slow"))
        yield fleet


@pytest_asyncio.fixture(scope="session")
async def client(shared: Fleet) -> Client:
    return shared.client


@pytest_asyncio.fixture(scope="session")
async def serial(servers: Servers, kind: str) -> AsyncIterator[Client]:
    """The client of an application whose one worker runs one request at a time."""
    async for fleet in opened(servers, kind, ("tasks",)):
        await fleet.start(concurrency=1)
        yield fleet.client


@pytest_asyncio.fixture
async def fleet(servers: Servers, kind: str) -> AsyncIterator[Fleet]:
    """An application without workers, which the test starts."""
    async for fleet in opened(servers, kind):
        yield fleet
