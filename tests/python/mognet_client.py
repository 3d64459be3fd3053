#!/usr/bin/env python3
"""Drives the real Mognet client from a command line, to show that it understands what Mogbox stores.

    mognet_client.py --redis URL --app NAME result ID [--wait SECONDS]
    mognet_client.py --redis URL --app NAME tree ID
    mognet_client.py --redis URL --app NAME set-metadata ID KEY=JSON ...
    mognet_client.py --redis URL --app NAME revoke ID [--force]

Each command prints one line of JSON: the result as the client sees it. Where there is no result, `result`,
`tree` and `set-metadata` print null and exit with 1. Only the result backend is connected. A revocation goes
through the client's own `App.revoke`, which writes the result; its broadcast goes to a broker in memory, as a
node reads the result itself. Needs requirements.txt installed; tried with Python 3.11.
"""

import argparse
import asyncio
import json
import sys
from uuid import UUID

from mognet import App, AppConfig
from mognet.app.app_config import BrokerConfig, ResultBackendConfig, StateBackendConfig
from mognet.backend.backend_config import RedisResultBackendSettings
from mognet.backend.redis_result_backend import RedisResultBackend
from mognet.broker.broker_config import AmqpBrokerSettings
from mognet.broker.memory_broker import InMemoryBroker
from mognet.state.state_backend_config import RedisStateBackendSettings


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", required=True, metavar="URL")
    parser.add_argument("--app", required=True, metavar="NAME")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name) for name in ("result", "tree", "set-metadata", "revoke")}
    for command in parsers.values():
        command.add_argument("id", type=UUID)
    parsers["result"].add_argument("--wait", type=float, metavar="SECONDS", help="until the result is final")
    parsers["set-metadata"].add_argument("entries", nargs="+", type=entry, metavar="KEY=JSON")
    parsers["revoke"].add_argument("--force", action="store_true", help="even where the result is final")
    return parser.parse_args()


def entry(text):
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=JSON")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"the value of {key!r} is not JSON: {error}") from error


def client(name, url):
    """An app whose broker and state are never connected."""
    config = AppConfig(
        result_backend=ResultBackendConfig(redis=RedisResultBackendSettings(url=url, retry_connect_attempts=2)),
        state_backend=StateBackendConfig(redis=RedisStateBackendSettings(url=url)),
        broker=BrokerConfig(amqp=AmqpBrokerSettings(url="amqp://unused")),
    )
    app = App(name=name, config=config)
    app.broker = InMemoryBroker()
    app.result_backend = RedisResultBackend(config.result_backend, app=app)
    return app


async def describe(result):
    """What the client reads, and what `await result` returns or raises."""
    seen = result.model_dump(mode="json")
    seen["metadata"] = await result.get_metadata()
    seen["children"] = sorted([str(child) async for child in result.children.iter_ids()])
    if result.done:
        try:
            seen["value"] = await result.get()
        except Exception as error:  # whatever was stored is raised
            kind = type(error)
            seen["exception"] = {"class": f"{kind.__module__}.{kind.__qualname__}", "text": str(error), "repr": repr(error)}
    return seen


async def tree(node):
    children = [await tree(child) for child in node.children]
    return {"id": str(node.result.id), "name": node.result.name, "state": node.result.state.value, "children": children}


async def run(given):
    app = client(given.app, given.redis)
    async with app.result_backend as backend:
        if given.command == "revoke":
            return await describe(await app.revoke(given.id, force=given.force))
        result = await backend.get(given.id)
        if result is None:
            return None
        if given.command == "tree":
            return await tree(await result.tree())
        if given.command == "set-metadata":
            await result.set_metadata(**dict(given.entries))
        if given.command == "result" and given.wait is not None:
            try:
                await result.wait(timeout=given.wait)
            except asyncio.TimeoutError:
                sys.exit(f"result {given.id} is not final after {given.wait:g} s")
        return await describe(result)


def main():
    seen = asyncio.run(run(arguments()))
    print(json.dumps(seen))
    return 1 if seen is None else 0


if __name__ == "__main__":
    sys.exit(main())
