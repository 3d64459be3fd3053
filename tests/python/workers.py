"""Workers of both kinds, as processes: Mognet's own, which is the judge, and Mogbox's node. Both serve the tasks of the twins."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Optional, Sequence

from servers import DEADLINE, Process

KINDS = ("mognet", "mogbox")

# Local time is far from UTC in every worker, so that a time in the wrong zone cannot pass for the right one.
ZONE_HOURS, ZONE = 5.75, "<+0545>-5:45"

# A Mogbox node finishes what runs within this time of being asked to stop, which no task here does by itself.
DRAIN = "300ms"
# A request of a node that was killed is handed out again after this time.
LEASE = "2s"


NUMBERS = count(1)


@dataclass
class Servers:
    """Where everything is, and the folder for what processes say."""

    redis: str
    amqp: str
    folder: Path

    def apart(self) -> "Servers":
        """The same with another database: Mogbox's nodes on one database share all work that is there."""
        return replace(self, redis=f"{self.redis.rsplit('/', 1)[0]}/{next(NUMBERS)}")


@dataclass
class Setting:
    """How a worker is started. Queues are those that it knows; `exclude` are those of them that it leaves alone."""

    app: str
    queues: Sequence[str] = ("tasks",)
    exclude: Sequence[str] = ()
    concurrency: int = 32
    more_apps: Sequence[str] = ()
    options: Sequence[str] = field(default_factory=tuple)
    offline: bool = False  # a node without RabbitMQ

    @property
    def served(self) -> list[str]:
        return [queue for queue in self.queues if queue not in self.exclude]


class Worker:
    """A worker that was started. `kind` is `mognet` or `mogbox`."""

    kind: str
    process: Process

    def __init__(self, setting: Setting):
        self.setting = setting

    def ask_to_stop(self) -> None:
        self.process.signal(signal.SIGTERM)

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()


class MognetWorker(Worker):
    """Started by Mognet's own command line."""

    kind = "mognet"

    def __init__(self, servers: Servers, setting: Setting):
        super().__init__(setting)
        self.name = f"{self.kind}-{next(NUMBERS)}"
        environment = {
            "TWIN_APP": setting.app,
            "TWIN_REDIS": servers.redis,
            "TWIN_AMQP": servers.amqp,
            "TWIN_NODE": self.name,
            "TWIN_CONCURRENCY": str(setting.concurrency),
            # Mognet knows a queue by a route to it.
            "TWIN_ROUTES": json.dumps({f"route.{queue}": queue for queue in setting.queues}),
            "PYTHONPATH": str(Path(__file__).parent),
            "TZ": ZONE,
        }
        command = [sys.executable, "-m", "mognet", "twin", "run", *self._filters()]
        self.process = Process(command, servers.folder, self.name, environment)

    def _filters(self) -> list[str]:
        if self.setting.exclude:
            return ["--exclude-queues", ",".join(self.setting.exclude)]
        return ["--include-queues", ",".join(self.setting.queues)]


class MogboxNode(Worker):
    """Started as users do, with the twins' component pushed for every application."""

    kind = "mogbox"

    def __init__(self, servers: Servers, setting: Setting):
        super().__init__(setting)
        self.name = f"{self.kind}-{next(NUMBERS)}"
        apps = [setting.app, *setting.more_apps]
        command = [binary(), "serve", "--listen", "127.0.0.1:0", "--redis", servers.redis]
        command += ["--lease", LEASE, "--drain", DRAIN, "--concurrency", setting.concurrency]
        command += ["--artifacts", servers.folder / "artifacts"]
        if not setting.offline:
            command += ["--amqp", servers.amqp, *(part for app in apps for part in ("--app", app))]
        command += [part for queue in setting.queues for part in ("--queue", queue)]
        command += [part for queue in setting.exclude for part in ("--exclude-queue", queue)]
        self.process = Process([*command, *setting.options], servers.folder, self.name, {"TZ": ZONE})
        self.url = self._address()

    def _address(self) -> str:
        line = self.process.until_said("http://")
        return next(word for word in line.split() if word.startswith("http://"))

    def push(self, app: str) -> None:
        self.command("push", component(), "--tenant", app)

    def command(self, *arguments: object) -> str:
        """What a command of Mogbox's prints about this node."""
        command = [binary(), *map(str, arguments), "--server", self.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise self.process.fail(f"{command} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def dead_letters(self, app: str) -> list[dict]:
        return json.loads(self.command("dead-letters", "--tenant", app, "--json"))["dead_letters"]


def binary() -> str:
    return given("MOGBOX", "Mogbox's binary")


def component() -> str:
    return given("TWIN", "the component of tests/guests/twin")


def given(variable: str, what: str) -> str:
    path: Optional[str] = os.environ.get(variable)
    assert path and Path(path).is_file(), f"set {variable} to {what}: it is {path!r}"
    return path


def start(kind: str, servers: Servers, setting: Setting) -> Worker:
    return {"mognet": MognetWorker, "mogbox": MogboxNode}[kind](servers, setting)
