"""What an application has on Redis in Mognet's format, with what differs from run to run replaced by what it stands for."""

import base64
import json
import pickle
import re
import uuid
from typing import Any, Iterable

from client import Client, decoded

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
LIVES = {-1: "for ever", 7_200: "two hours", 604_800: "a week", 1_814_400: "three weeks"}
SLACK = 120  # seconds between the last write and the look at the time to live


async def keys(client: Client) -> set[str]:
    return {key.decode() async for key in client.redis.scan_iter(f"{client.name}.mognet.*")}


async def snapshot(client: Client, root: uuid.UUID, of: Iterable[str]) -> dict[str, Any]:
    """What is stored under keys of one tree of requests, by part: `root`, `root/value`, `level 1, child 0/children` and so on."""
    labels = await labelled(client, root)
    found = {}
    for key in of:
        kind, _, rest = key.removeprefix(f"{client.name}.mognet.").partition(".")
        request, slash, part = rest.partition("/")
        name = labels.get(request, f"stray {request}") + slash + part
        found[name if kind == "result" else f"{name}, {kind}"] = await stored(client, key, labels)
    return found


async def labelled(client: Client, root: uuid.UUID, label: str = "root", level: int = 1) -> dict[str, str]:
    """The ids of a family of requests, of which only the youngest generation has siblings, with labels that say where they stand."""
    labels = {str(root): label}
    result = await client.app.result_backend.get(root)
    if result is not None:
        children = [child async for child in result.children.iter_instances()]
        for number, child in enumerate(sorted(children, key=lambda child: child.created)):
            labels |= await labelled(client, child.id, f"level {level}, child {number}", level + 1)
    return labels


async def stored(client: Client, key: str, labels: dict[str, str]) -> dict[str, Any]:
    kind = (await client.redis.type(key)).decode()
    if kind == "set":
        ids = [str(uuid.UUID(bytes=member)) for member in await client.redis.smembers(key)]
        content: Any = sorted(labels.get(member, member) for member in ids)
    elif key.endswith("/value"):
        content = value(await client.redis.hgetall(key))
    else:
        fields = {name.decode(): json.loads(text) for name, text in (await client.redis.hgetall(key)).items()}
        content = {name: standing_for(name, field, labels) for name, field in fields.items()}
    return {"type": kind, "lives": life(await client.redis.ttl(key)), "content": content}


def standing_for(name: str, field: Any, labels: dict[str, str]) -> Any:
    if name in ("created", "started", "finished") and isinstance(field, str):
        return "a time" if TIME.fullmatch(field) else field
    if name == "node_id" and isinstance(field, str):
        return "a node"
    return labels.get(field, field) if isinstance(field, str) else field


def value(fields: dict[bytes, bytes]) -> dict[str, Any]:
    """A value, whether it was compressed or not; of an exception the class and arguments instead of the pickle."""
    contents = decoded(fields)
    raw = contents["raw_value"]
    if contents["value_type"].endswith("_ExceptionInfo"):
        raw["traceback"] = type(raw["traceback"]).__name__
        if raw["raw_data"] is not None:
            exception = pickle.loads(base64.b64decode(raw["raw_data"]))
            raw["raw_data"] = {"class": type(exception).__qualname__, "args": repr(exception.args), "state": repr(vars(exception))}
    return {"fields": sorted(name.decode() for name in fields), **contents}


def life(seconds: int) -> str:
    return next((name for life, name in LIVES.items() if life == seconds or life > 0 and life - SLACK <= seconds <= life), f"{seconds} s")


def differences(theirs: Any, ours: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two trees of objects differ, by path, with what either has there."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*theirs, *ours}):
            found |= differences(theirs.get(key, "(nothing)"), ours.get(key, "(nothing)"), f"{path} > {key}" if path else key)
        return found
    return {} if theirs == ours and type(theirs) is type(ours) else {path: (theirs, ours)}
