"""A Mognet worker application: the tasks of tests/guests/twin, by the same names, run by Mognet's own worker.

Started with Mognet's own command line, `python -m mognet twin run`, in this folder. The environment configures it: TWIN_APP (the
application's name), TWIN_REDIS, TWIN_AMQP, TWIN_NODE (the node's id), and, where they are needed, TWIN_CONCURRENCY (requests at once)
and TWIN_ROUTES (JSON, queues by task name).
"""

import asyncio
import json
import os
from itertools import cycle, islice
from typing import Any, Optional

from mognet import App, AppConfig, Context, Request, task
from mognet.app.app_config import BrokerConfig, ResultBackendConfig, StateBackendConfig
from mognet.backend.backend_config import RedisResultBackendSettings
from mognet.broker.broker_config import AmqpBrokerSettings
from mognet.exceptions.task_exceptions import Pause
from mognet.state.state_backend_config import RedisStateBackendSettings

LOOK = 0.02  # seconds between two looks at the store


@task(name="demo.add")
async def add(context: Context, n1: float, n2: float) -> float:
    return n1 + n2


@task(name="demo.fail")
async def fail(context: Context):
    raise ValueError("boom")


@task(name="demo.meta")
async def meta(context: Context):
    seen = await metadata_of(context)
    await context.set_metadata(user_id="dkl", n={"a": [1, None, True]})
    await context.state.set("k", 1)
    return {"seen": seen}


@task(name="demo.child")
async def child(context: Context):
    return await context.run(Request(name="demo.add", args=(1, 2)))


@task(name="demo.rec")
async def rec(context: Context, n: int):
    return 0 if n == 0 else await context.run(Request(name="demo.rec", args=(n - 1,)))


@task(name="twin.echo")
async def echo(context: Context, value: Any):
    return value


@task(name="twin.typed")
async def typed(context: Context, number: int, text: str, flag: Optional[bool] = None):
    return [number, text, flag]


@task(name="twin.text")
async def text(context: Context, size: int):
    return "".join(islice(cycle("0123456789"), size))


@task(name="twin.sleep")
async def sleep(context: Context, seconds: float):
    await asyncio.sleep(seconds)
    return seconds


@task(name="twin.raise")
async def raise_(context: Context, message: str):
    raise Exception(message)  # the class that a guest's failure has for clients


@task(name="twin.request")
async def request(context: Context):
    return context.request.model_dump(mode="json", include={"id", "name", "stack", "metadata", "priority"})


async def metadata_of(context: Context) -> dict:
    return await (await context.get_result()).get_metadata()


async def wait_for(context: Context, key: str) -> Any:
    while True:
        metadata = await metadata_of(context)
        if key in metadata:
            return metadata[key]
        await asyncio.sleep(LOOK)


@task(name="twin.hold")
async def hold(context: Context, key: Optional[str] = None):
    return await wait_for(context, key or "go")


@task(name="twin.tick")
async def tick(context: Context):
    ticks = 0
    while True:
        ticks += 1
        await context.set_metadata(tick=ticks)
        await asyncio.sleep(LOOK)


@task(name="twin.progress")
async def progress(context: Context, steps: int):
    for done in range(1, steps + 1):
        await context.set_metadata(progress={"done": done, "total": steps, "message": f"step {done}"})
        await wait_for(context, f"go{done}")
    return steps


@task(name="twin.read")
async def read(context: Context):
    return await metadata_of(context)


@task(name="twin.write")
async def write(context: Context, prefix: str, keys: int):
    for key in range(keys):
        await context.set_metadata(**{f"{prefix}{key}": key})
    return keys


@task(name="twin.pause")
async def pause(context: Context, times: int):
    runs = await context.state.get("runs", 0) + 1
    await context.state.set("runs", runs)
    if runs <= times:
        raise Pause()
    return runs


@task(name="twin.pause_for_ever")
async def pause_for_ever(context: Context):
    await context.set_metadata(runs=(await metadata_of(context)).get("runs", 0) + 1)
    raise Pause()


@task(name="twin.across")
async def across(context: Context):
    state = context.state
    before = await state.get("before")
    if before is None:
        await state.set("kept", {"a": [1, None, True], "é": "\U0001f600"})
        await state.set("removed", "gone")
        await state.set("before", [await state.get("kept"), await state.pop("removed"), await state.pop("removed")])
        raise Pause()
    return {"before": before, "kept": await state.get("kept"), "removed": await state.get("removed")}


@task(name="twin.keep")
async def keep(context: Context):
    await context.state.set("n", 1)
    await context.set_metadata(kept=True)
    await wait_for(context, "read")
    value = await context.state.get("n")
    await context.set_metadata(was_read=True)
    await wait_for(context, "go")
    return value


@task(name="twin.spawn")
async def spawn(context: Context, name: str, args: list, queue: Optional[str] = None):
    return str((await context.submit(Request(name=name, args=tuple(args), queue_name=queue))).id)


@task(name="twin.run")
async def run_child(context: Context, name: str, args: list, queue: Optional[str] = None):
    return await context.run(Request(name=name, args=tuple(args), queue_name=queue))


@task(name="twin.run_then_hold")
async def run_then_hold(context: Context, name: str, args: list):
    value = await context.run(Request(name=name, args=tuple(args)))
    await context.set_metadata(went_on=True)
    await wait_for(context, "go")
    return value


@task(name="twin.outcome")
async def outcome(context: Context, name: str, args: list, queue: Optional[str] = None):
    result = await context.submit(Request(name=name, args=tuple(args), queue_name=queue))
    ended = (await context.gather(result, return_exceptions=True))[0]
    return [[result.state.value, str(ended)]]


@task(name="twin.lineage")
async def lineage(context: Context, levels: int):
    if levels == 0:
        return [str(ancestor) for ancestor in context.request.stack]
    return await context.run(Request(name="twin.lineage", args=(levels - 1,)))


@task(name="twin.tree")
async def tree(context: Context, width: int, levels: int):
    if levels == 0:
        return 1
    children = [await context.submit(Request(name="twin.tree", args=(width, levels - 1))) for _ in range(width)]
    return 1 + sum(await context.gather(*children))


def configured() -> AppConfig:
    redis, environment = os.environ["TWIN_REDIS"], os.environ
    return AppConfig(
        node_id=environment["TWIN_NODE"],
        result_backend=ResultBackendConfig(redis=RedisResultBackendSettings(url=redis)),
        state_backend=StateBackendConfig(redis=RedisStateBackendSettings(url=redis)),
        broker=BrokerConfig(amqp=AmqpBrokerSettings(url=environment["TWIN_AMQP"])),
        minimum_concurrency=int(environment.get("TWIN_CONCURRENCY", "1")),
        task_routes=json.loads(environment.get("TWIN_ROUTES", "{}")),
    )


app = App(name=os.environ["TWIN_APP"], config=configured())
