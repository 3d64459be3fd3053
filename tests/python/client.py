"""The real client of Mognet, unmodified, with what tests do over and over: submit, wait with a deadline, look at what is stored."""

import asyncio
import gzip
import json
import time
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any, AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Optional, Sequence, Union

from mognet import App, AppConfig, Request, Result
from mognet.app.app_config import BrokerConfig, ResultBackendConfig, StateBackendConfig
from mognet.backend.backend_config import RedisResultBackendSettings
from mognet.broker.amqp_broker import AmqpBroker
from mognet.broker.base_broker import MessagePayload
from mognet.broker.broker_config import AmqpBrokerSettings
from mognet.primitives.queries import QueryRequestMessage, QueryResponseMessage, StatusResponseMessage
from mognet.state.state_backend_config import RedisStateBackendSettings
from redis.asyncio import Redis

from servers import DEADLINE
from workers import Servers, Worker

LOOK = 0.02  # seconds between two looks at a condition

Id = Union[uuid.UUID, Result]


def id_of(given: Id) -> uuid.UUID:
    return given.id if isinstance(given, Result) else given


async def until(probe: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Looks again and again until there is something, and returns it."""
    end, found = time.monotonic() + DEADLINE, await probe()
    while not found:
        assert time.monotonic() < end, f"not after {DEADLINE:g} s: {what}"
        await asyncio.sleep(LOOK)
        found = await probe()
    return found


class Client:
    """A client of one application. `queues` are declared when it connects; `routes` are queues by task name."""

    def __init__(self, servers: Servers, name: str, queues: Sequence[str] = (), routes: Optional[Mapping[str, str]] = None):
        known = {f"route.{queue}": queue for queue in queues}
        config = AppConfig(
            node_id=f"client-{uuid.uuid4()}",
            result_backend=ResultBackendConfig(redis=RedisResultBackendSettings(url=servers.redis)),
            state_backend=StateBackendConfig(redis=RedisStateBackendSettings(url=servers.redis)),
            broker=BrokerConfig(amqp=AmqpBrokerSettings(url=servers.amqp)),
            task_routes={**known, **(routes or {})},
        )
        self.name = name
        self.app = App(name=name, config=config)
        self.redis = Redis.from_url(servers.redis)

    async def __aenter__(self) -> "Client":
        await self.app.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.close()
        await self.redis.close()

    @property
    def broker(self) -> AmqpBroker:
        return self.app.broker

    # Submitting

    async def submit(self, name: str, *args: Any, **fields: Any) -> Result:
        """Submits as users do. `fields` are those of Mognet's `Request`."""
        return await self.app.submit(Request(name=name, args=args, **fields))

    async def pending(self, name: str, **fields: Any) -> Result:
        """A result as the client stores it before it sends the message, which it does not here."""
        known = {"id": uuid.uuid4(), "name": name, "created": datetime.now(timezone.utc), "request_kwargs_repr": "", **fields}
        result = Result(self.app.result_backend, **known)
        await self.app.result_backend.set(result.id, result)
        return result

    async def publish(self, name: str, *args: Any, result: Optional[dict] = None, **payload: Any) -> uuid.UUID:
        """Sends a request that the client would not make itself: any fields in the payload, or in the result before it runs."""
        stored = await self.pending(name, **(result or {}))
        await self.send({**Request(id=stored.id, name=name, args=args).model_dump(mode="json"), **payload})
        return stored.id

    async def send(self, payload: dict, queue: str = "tasks", kind: str = "Request") -> None:
        """Sends only the message: there may be no result."""
        await self.broker.send_task_message(queue, MessagePayload(id=str(payload["id"]), kind=kind, payload=payload))

    # Waiting

    async def value(self, given: Id) -> Any:
        """What the task answered, or raises what the client raises."""
        return await (await self.final(given)).get()

    async def run(self, name: str, *args: Any, **fields: Any) -> Any:
        return await self.value(await self.submit(name, *args, **fields))

    async def final(self, given: Id) -> Result:
        """The result, once it is final."""
        result = await self.result(given)
        try:
            await result.wait(timeout=DEADLINE, poll=LOOK)
        except asyncio.TimeoutError:
            raise AssertionError(f"not final after {DEADLINE:g} s: {await self.hash(given)}") from None
        return result

    async def error(self, given: Id) -> Exception:
        """What the client raises for the result, once it is final."""
        result = await self.final(given)
        try:
            value = await result.get()
        except Exception as error:  # whatever was stored is raised
            return error
        raise AssertionError(f"the task answered {value!r}")

    async def stored_error(self, given: Id) -> Exception:
        """The exception that lies beneath: of a revoked result the client raises only that it was revoked."""
        return (await (await self.final(given)).value.get_raw_value()).exception

    async def until_state(self, given: Id, *states: str) -> Result:
        async def reached() -> Optional[Result]:
            result = await self.app.result_backend.get(id_of(given))
            return result if result is not None and result.state.value in states else None

        return await until(reached, f"{given!r} is {' or '.join(states)}")

    async def until_metadata(self, given: Id, key: str, holds: Callable[[Any], bool] = lambda value: value is not None) -> Any:
        async def written() -> Optional[list]:
            value = (await self.metadata(given)).get(key)
            return [value] if holds(value) else None

        return (await until(written, f"metadata {key!r} of {given!r}"))[0]

    @asynccontextmanager
    async def busy(self, pending: int = 0) -> AsyncIterator[Result]:
        """Keeps a worker that runs one request at a time from all others, until so many of them that the block submits have arrived."""
        blocker = await self.submit("twin.hold", priority=10)
        await self.until_state(blocker, "RUNNING")
        try:
            yield blocker
            await self.until_arrived(pending)
        finally:
            await self.write(blocker, go=True)
            await self.final(blocker)

    async def until_arrived(self, pending: int) -> None:
        """Waits until so many requests are in the queue, or, with Mogbox, were taken from there as a whole."""

        async def arrived() -> bool:
            return await self.waiting() in (0, pending)

        await until(arrived, f"{pending} requests have arrived")

    # Looking

    async def result(self, given: Id) -> Result:
        result = await self.app.result_backend.get(id_of(given))
        assert result is not None, f"no result {given!r}"
        return result

    async def metadata(self, given: Id) -> dict:
        return await self.app.result_backend.get_metadata(id_of(given))

    async def write(self, given: Id, **metadata: Any) -> None:
        await self.app.result_backend.set_metadata(id_of(given), **metadata)

    async def children(self, given: Id) -> list[uuid.UUID]:
        return [child async for child in (await self.result(given)).children.iter_ids()]

    def key(self, given: Id, part: str = "") -> str:
        return f"{self.name}.mognet.result.{id_of(given)}{part}"

    def state_key(self, given: Id) -> str:
        return f"{self.name}.mognet.state.{id_of(given)}"

    async def hash(self, given: Id, part: str = "") -> dict[str, Any]:
        """The fields of a hash of JSON."""
        fields = await self.redis.hgetall(self.key(given, part))
        return {name.decode(): json.loads(value) for name, value in fields.items()}

    async def contents(self, given: Id) -> dict[str, Any]:
        """What a value hash holds, whether it is compressed or not."""
        return decoded(await self.redis.hgetall(self.key(given, "/value")))

    async def starts_and_stops(self, given: Id) -> tuple[int, int]:
        result = await self.result(given)
        return result.number_of_starts, result.number_of_stops

    # Nodes

    def query(self) -> AsyncGenerator[QueryResponseMessage, None]:
        """Asks all nodes as `App.get_current_status_of_nodes` does, which itself takes no answer for valid with pydantic 2."""
        request = QueryRequestMessage(name="Status")
        return self.broker.send_query_message(MessagePayload(id=str(request.id), kind="Query", payload=request.model_dump()))

    async def statuses(self, holds: Callable[[dict[str, set[uuid.UUID]]], bool], what: str) -> dict[str, set[uuid.UUID]]:
        """Asks all nodes again and again, until the ids that they run, by node, are so."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            answers: dict[str, set[uuid.UUID]] = {}
            nodes = self.query()
            try:
                while not (answers and holds(answers)):
                    answer = StatusResponseMessage.model_validate((await asyncio.wait_for(nodes.__anext__(), 1)).model_dump())
                    answers[answer.node_id] = set(answer.payload.running_request_ids)
                return answers
            except asyncio.TimeoutError:
                pass  # no more answers to this query
            finally:
                await nodes.aclose()
        raise AssertionError(f"not after {DEADLINE:g} s: {what}; the last answers were {answers}")

    async def until_not_running(self, given: Id) -> None:
        await self.statuses(lambda nodes: not any(id_of(given) in ids for ids in nodes.values()), f"{given!r} runs no more")

    async def waiting(self, queue: str = "tasks") -> int:
        return (await self.broker.task_queue_stats(queue)).message_count

    async def until_waiting(self, number: int) -> None:
        """A worker that is busy leaves what waits in the queue; what it was sent ahead it gives back after a moment."""

        async def waiting() -> bool:
            return await self.waiting() == number

        await until(waiting, f"{number} requests wait")

    async def consumers(self, queue: str = "tasks") -> int:
        return (await self.broker.task_queue_stats(queue)).consumer_count

    async def until_ready(self, worker: Worker, before: Mapping[str, int]) -> None:
        """Waits until a worker takes requests and hears of revocations; `before` tells how many consumers each queue had without it."""

        async def consumes() -> bool:
            assert not worker.process.ended, worker.process.fail("the worker ended")
            return all([await self.consumers(queue) > before[queue] for queue in worker.setting.served])

        await until(consumes, "the worker takes requests")
        await self.statuses(lambda nodes: worker.kind != "mognet" or worker.name in nodes, "the worker answers queries")


def decoded(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    assert fields[b"content_type"] == b'"application/json"', fields
    packed = fields[b"encoding"] == b'"gzip"'
    assert packed or fields[b"encoding"] == b"null", fields
    return json.loads(gzip.decompress(fields[b"contents"]) if packed else fields[b"contents"])
