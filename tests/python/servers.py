"""Processes that tests start: each in a group of its own, gone with the tests however these end, with its output in a file."""

import os
import signal
import socket
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Optional, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE = 60.0  # seconds that anything may take on a slow, busy machine
START = 180.0  # seconds that a server may take to start there

# Kills a group once its standard input closes, which the end of the tests does, also where they are killed.
WATCH = "cat >/dev/null; kill -KILL -{group} 2>/dev/null"


class Process:
    """A program in a process group of its own. What it says is in `log`; its first lines of output too."""

    def __init__(self, command: Sequence[object], folder: Path, name: str, environment: Optional[dict] = None):
        self.log = folder / f"{name}.log"
        self.output = folder / f"{name}.out"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        watch = WATCH.format(group=self._process.pid)
        self._watcher = subprocess.Popen(["sh", "-c", watch], stdin=subprocess.PIPE, start_new_session=True)
        self._lines: list[str] = []
        self._silent = False  # it will say nothing more
        self._heard = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        """Keeps what it says, and wakes who waits for that."""
        with self.output.open("wb", buffering=0) as output:
            for line in self._process.stdout:
                output.write(line)
                with self._heard:
                    self._lines.append(line.decode(errors="replace"))
                    self._heard.notify_all()
        with self._heard:
            self._silent = True
            self._heard.notify_all()

    def until_said(self, text: str) -> str:
        """Waits until it says this, and returns the line."""

        def found() -> Optional[str]:
            return next((line for line in self._lines if text in line), None)

        with self._heard:
            self._heard.wait_for(lambda: found() or self._silent, START)
            line = found()
        if line is None:
            raise self.fail(f"it did not say {text!r}")
        return line

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def signal(self, number: int) -> None:
        """To the process alone, as a service manager does."""
        self._process.send_signal(number)

    def suspend(self) -> None:
        """For the others it is as if it were gone, until it gets SIGCONT."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """At once, with all that it started, as a crash."""
        if self._watcher.poll() is not None:
            return  # before: its number may be another's by now
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(DEADLINE)
        self._watcher.stdin.close()
        self._watcher.wait(DEADLINE)
        self._listener.join(DEADLINE)  # then its ports are free

    def stop(self) -> None:
        """In good order, which ends it; then what is left of its group."""
        if not self.ended:
            self.signal(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE)
        finally:
            self.kill()

    def said(self) -> str:
        return self.output.read_text(errors="replace") + self.log.read_text(errors="replace")

    def fail(self, why: str) -> AssertionError:
        return AssertionError(f"{why}; it said:\n{self.said()[-4000:]}")


def is_free(port: int) -> bool:
    with closing(socket.socket()) as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, below those that systems give to clients by themselves."""
    start = 12_000 + os.getpid() % 1_500 * 10
    for first in range(start, start + 5_000, count):
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no free ports")


class Redis(Process):
    def __init__(self, folder: Path):
        port = free_ports(1)
        kept = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--databases", "1024"]
        super().__init__(["redis-server", "--port", port, *kept], folder, "redis")
        self.url = f"redis://127.0.0.1:{port}/0"
        self.until_said("Ready to accept connections")


class RabbitMq(Process):
    """Started again on the same port in the same folder, it has what it kept."""

    def __init__(self, folder: Path, port: Optional[int] = None):
        port = port or free_ports(3)
        super().__init__([REPOSITORY / "tests/servers/rabbitmq", folder / "rabbitmq", port], folder, "rabbitmq")
        self.url = f"amqp://guest:guest@127.0.0.1:{port}"
        self.until_said("completed with")
