#!/usr/bin/env python3
"""How applications share a node that takes their requests from RabbitMQ, sent by Mognet's own client: `make bench-mognet`.

    MOGBOX=BINARY BENCH=COMPONENT fairness.py [--backlog N] [--requests N] [--seconds N]

First one application sends ten requests a second, alone and then beside another with a backlog of requests that compute for some
milliseconds each; a request's time is that from its submission to its result, as both are stored with it. Then three applications of
weights 1, 2 and 4 have N requests each, which compute for about a millisecond: what the others got by the moment when the heaviest has
half of its own. Prints a line for each
figure: who, which, the value, unit.
"""

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from client import Client
from mognet import Request
from servers import RabbitMq, Redis
from workers import MogboxNode, Servers, Setting

BATCH = 200  # requests that are submitted at the same time
EVERY = 0.1  # seconds between two requests of the quiet application
ROUNDS = 4_000_000  # some milliseconds of computing
WEIGHTS = {"one": 1, "two": 2, "four": 4}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlog", type=int, default=100_000, metavar="N")
    parser.add_argument("--requests", type=int, default=5_000, metavar="N")
    parser.add_argument("--seconds", type=int, default=20, metavar="N")
    return parser.parse_args()


def node(servers: Servers, apps: list[str]) -> MogboxNode:
    return MogboxNode(servers, Setting(app=apps[0], more_apps=apps[1:], concurrency=128))


def prepare(servers: Servers, apps: dict[str, int]) -> None:
    """Gives applications the module and their weights, before any node takes their requests."""
    os.environ["TWIN"] = os.environ["BENCH"]
    uploads = MogboxNode(servers, Setting(app="uploads", queues=("uploads",), offline=True))
    for app, weight in apps.items():
        uploads.push(app)
        uploads.command("tenants", "create", app, "--weight", weight)
    uploads.kill()


async def submitted(client: Client, number: int, *request: object) -> list:
    name, *args = request
    ids: list = []
    while len(ids) < number:
        each = range(min(BATCH, number - len(ids)))
        ids += [one.id for one in await asyncio.gather(*(client.app.submit(Request(name=name, args=tuple(args))) for _ in each))]
    return ids


async def moments(client: Client, ids: list, field: str) -> list[float]:
    """A moment that is stored with each of these results; those that have none are left out."""
    pipeline = client.redis.pipeline(transaction=False)
    for one in ids:
        pipeline.hget(client.key(one), field)
    stored = [text for text in await pipeline.execute() if text not in (None, b"null")]
    return [datetime.fromisoformat(text.decode().strip('"').replace("Z", "+00:00")).timestamp() for text in stored]


async def all_done(client: Client, ids: list) -> list[float]:
    while len(done := await moments(client, ids, "finished")) < len(ids):
        await asyncio.sleep(0.5)  # each look costs the server that is measured
    return done


async def steadily(client: Client, seconds: float) -> list[float]:
    """How long requests take that come ten a second, whether or not earlier ones are done; sorted. Milliseconds."""
    sending = []
    for _ in range(int(seconds / EVERY)):
        sending.append(asyncio.create_task(client.app.submit(Request(name="bench.noop"))))
        await asyncio.sleep(EVERY)
    ids = [one.id for one in await asyncio.gather(*sending)]
    done = await all_done(client, ids)
    return sorted(1_000 * (end - start) for start, end in zip(await moments(client, ids, "created"), done))


def quantile(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(part * len(values)))]


def say(figure: str, value: float, unit: str) -> None:
    print(f"mogbox@rabbitmq {figure} {value:.3g} {unit}", flush=True)


async def quiet_beside_backlog(servers: Servers, options: argparse.Namespace) -> None:
    apps = ["quiet", "flood"]
    prepare(servers, dict.fromkeys(apps, 1))
    async with Client(servers, "quiet", queues=("tasks",)) as quiet, Client(servers, "flood", queues=("tasks",)) as flood:
        running = node(servers, apps)
        await steadily(quiet, 2)
        heavy = await submitted(flood, 20, "bench.compute", ROUNDS)
        await all_done(flood, heavy)
        times = []
        for _ in range(20):
            one = await submitted(flood, 1, "bench.compute", ROUNDS)
            await all_done(flood, one)
            [start], [end] = await moments(flood, one, "started"), await moments(flood, one, "finished")
            times.append(1_000 * (end - start))
        attempt, alone = quantile(sorted(times), 0.5), await steadily(quiet, options.seconds)
        running.stop()
        print(f"# a backlog of {options.backlog}", file=sys.stderr)
        await submitted(flood, options.backlog, "bench.compute", ROUNDS)
        running = node(servers, apps)
        await steadily(quiet, 2)
        beside = await steadily(quiet, options.seconds)
        running.kill()
    for name, times in (("quiet_alone", alone), ("quiet_beside", beside)):
        say(f"{name}_p50", quantile(times, 0.5), "ms")
        say(f"{name}_p99", quantile(times, 0.99), "ms")
    say("backlog_attempt", attempt, "ms")
    say("quiet_beside_of_allowed", quantile(beside, 0.99) / (1.2 * quantile(alone, 0.99) + attempt), "x")


async def weights(servers: Servers, options: argparse.Namespace) -> None:
    prepare(servers, WEIGHTS)
    ids: dict[str, list] = {}
    clients = {app: await Client(servers, app, queues=("tasks",)).__aenter__() for app in WEIGHTS}
    for app, client in clients.items():
        ids[app] = await submitted(client, options.requests, "bench.compute", ROUNDS // 8)
    running = node(servers, list(WEIGHTS))
    ends = {app: await all_done(client, ids[app]) for app, client in clients.items()}
    running.kill()
    for client in clients.values():
        await client.__aexit__()
    moment = quantile(sorted(ends["four"]), 0.5)
    got = {app: sum(end <= moment for end in times) for app, times in ends.items()}
    total, parts = sum(got.values()), sum(WEIGHTS.values())
    off = max(abs(got[app] / total * parts / weight - 1) for app, weight in WEIGHTS.items())
    say("weights_3_off", 100 * off, "%")
    say("weights_3_done", total, "tasks")


async def main(options: argparse.Namespace) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mogbox-fairness-"))
    redis, rabbitmq = Redis(folder), RabbitMq(folder)
    servers = Servers(redis.url, rabbitmq.url, folder)
    try:
        await quiet_beside_backlog(servers.apart(), options)
        await weights(servers.apart(), options)
    finally:
        redis.kill()
        rabbitmq.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main(arguments()))
