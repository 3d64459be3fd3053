#!/usr/bin/env python3
"""How fast workers of both kinds drain a queue that Mognet's own client has filled over RabbitMQ: `make bench-mognet`.

    MOGBOX=BINARY TWIN=COMPONENT throughput.py [--requests N] [--repetitions N]

Each repetition runs Mognet's worker and Mogbox's node one after the other, on the same servers: N requests of `demo.add` are submitted
while no worker runs, then one worker is started. The rate is that between the first and the last result that is stored; memory and
processor time of servers are not looked at. Prints a line for each figure: who, which, the median, unit, least and most.
"""

import argparse
import asyncio
import logging
import shutil
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from client import Client, until
from conftest import Fleet
from mognet import Request
from servers import RabbitMq, Redis
from workers import KINDS, Servers

BATCH = 200  # requests that are submitted at the same time

# Requests that a worker runs at once. Of 5, 20, 100 and 128, Mognet's is fastest with 5.
CONCURRENCY = {"mognet": 5, "mogbox": 128}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, metavar="N")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    return parser.parse_args()


async def submitted(client: Client, number: int) -> list:
    """Requests that wait in RabbitMQ."""
    ids: list = []
    while len(ids) < number:
        requests = [Request(name="demo.add", args=(1, 2)) for _ in range(min(BATCH, number - len(ids)))]
        results = await asyncio.gather(*(client.app.submit(request) for request in requests))
        ids += [result.id for result in results]
    return ids


async def rate(client: Client, ids: list) -> float:
    """Results a second, by the times that are stored with them."""

    async def done() -> bool:
        await asyncio.sleep(0.5)  # each look costs the server that is measured
        return await client.redis.hget(client.key(ids[-1]), "finished") not in (None, b"null") and await client.waiting() == 0

    await until(done, "the last request is done")
    for one in ids[-BATCH:]:
        await client.final(one)
    pipeline = client.redis.pipeline()
    for one in ids:
        pipeline.hmget(client.key(one), "state", "finished")
    ended = await pipeline.execute()
    assert all(state == b'"SUCCESS"' for state, _ in ended), "a request did not succeed"
    times = [datetime.fromisoformat(finished.decode().strip('"').replace("Z", "+00:00")).timestamp() for _, finished in ended]
    return (len(times) - 1) / (max(times) - min(times))


async def measure(servers: Servers, kind: str, options: argparse.Namespace) -> float:
    fleet = await Fleet(servers, kind).open(("tasks",))
    try:
        ids = await submitted(fleet.client, options.requests)
        await fleet.start(concurrency=CONCURRENCY[kind])
        return await rate(fleet.client, ids)
    finally:
        await fleet.close()


async def main(options: argparse.Namespace) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mogbox-throughput-"))
    redis, rabbitmq = Redis(folder), RabbitMq(folder)
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        for repetition in range(options.repetitions):
            for kind in KINDS:
                rates[kind].append(await measure(Servers(redis.url, rabbitmq.url, folder), kind, options))
                print(f"{kind}, repetition {repetition + 1}: {rates[kind][-1]:.0f}/s", file=sys.stderr)
    finally:
        redis.kill()
        rabbitmq.kill()
        shutil.rmtree(folder, ignore_errors=True)
    for kind, seen in rates.items():
        print(f"{kind} amqp_throughput {statistics.median(seen):.0f} tasks/s  # min {min(seen):.0f} max {max(seen):.0f} reps {len(seen)}")
    ratios = [ours / theirs for ours, theirs in zip(rates["mogbox"], rates["mognet"])]
    print(f"mogbox amqp_throughput_ratio {statistics.median(ratios):.1f} x  # min {min(ratios):.1f} max {max(ratios):.1f}")


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main(arguments()))
