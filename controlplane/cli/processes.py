"""Children of `up` and `demo`: started, watched, waited for, and ended together."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from controlplane.cli.failed import Failed
from controlplane.cli.variables import PREFIX
from lightbulb.signals import ending_signals

LOG_TAIL_LINES = 15

LIGHTBULB = (sys.executable, "-m", "controlplane")
"""How the `lightbulb` command is started, whether or not it is on the path."""

PORTS = "LIGHTBULB_PORTS"
"""Environment variable: FIRST-LAST, the ports that may be chosen; the children of a process share it."""

DEFAULT_PORTS = "12000-31999"
"""Below the ports that systems give to outgoing connections, one of which could take a port at any time."""

PORTS_TRIED = 1_000

_turns = itertools.count(random.SystemRandom().randrange(20_000))
"""Which port is next. One process goes through them in turn, so that it chooses none twice."""


class ProcessFailed(Failed):
    """A child ended that shouldn't have, or didn't become ready; the message has the tail of its log."""

    def __init__(self, message: str) -> None:
        super().__init__("PROCESS_FAILED", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running process, its command, and the file that it logs to."""

    name: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def again(self) -> str:
        """What to type to start it again; `lightbulb` by its name."""
        ours = self.command[: len(LIGHTBULB)] == LIGHTBULB
        return shlex.join(("lightbulb", *self.command[len(LIGHTBULB) :]) if ours else self.command)

    def tail(self) -> str:
        """Return the last lines of the log, indented."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"


class Processes:
    """`lightbulb` commands running side by side; leaving the block ends them all."""

    def __init__(self, log_folder: Path, *, grace: float = 10.0) -> None:
        """Log to `log_folder`/NAME.log; children get `grace` seconds to end, then are killed."""
        self._log_folder = log_folder
        self._grace = grace
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        try:
            self._log_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"can't log to {self._log_folder} ({error.strerror}); choose another folder with --state-dir"
            )
            raise ProcessFailed(message) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def children(self) -> tuple[Child, ...]:
        """Every child that was started, in that order, but for those forgotten."""
        return tuple(self._children)

    def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Start `lightbulb ARGUMENTS` in a process group of its own."""
        return self.run(name, [*LIGHTBULB, *arguments])

    def run(self, name: str, command: Sequence[str]) -> Child:
        """Start a command in a process group of its own."""
        path = self._log_folder / f"{name}.log"
        with path.open("wb") as log, _undisturbed():
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(),
            )
            child = Child(name=name, command=tuple(command), process=process, log=path)
            self._children.append(child)
        return child

    def check(self) -> None:
        """Raise ProcessFailed when a child has ended."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ProcessFailed(f"{child.name} ended with exit code {code}:\n{child.tail()}")

    def forget_ended(self) -> tuple[Child, ...]:
        """Return the children that have ended since the last call; they are no children any more."""
        ended = tuple(child for child in self._children if child.process.poll() is not None)
        self._children = [child for child in self._children if child not in ended]
        return ended

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Return once `condition` holds; raise ProcessFailed if not in time, or when a child ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{what}: not within {seconds:g} s; logs are in {self._log_folder}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End all children, the last started first; kill those that outstay the grace period."""
        with _undisturbed():
            self._stop()

    def _stop(self) -> None:
        running = [child for child in reversed(self._children) if child.process.poll() is None]
        for child in running:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        for child in running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.process.wait()
        self._children.clear()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals that end this process wait: one between a child's start and our note of it loses it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs handlers in the main thread only
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda each, _: came.append(each)) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in came:
            signal.raise_signal(each)


def _environment() -> Mapping[str, str]:
    """Return the environment of a child: without our own variables, since its command says it all."""
    ours = {name for name in os.environ if name.startswith(f"{PREFIX}_") and name != PORTS}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _signal(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def free_ports(count: int) -> tuple[int, ...]:
    """Return different ports of 127.0.0.1 that nobody listens on now: neighbours, where they are free."""
    first, _, last = os.environ.get(PORTS, DEFAULT_PORTS).partition("-")
    size = int(last) - int(first) + 1
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for turn in itertools.islice(_turns, min(PORTS_TRIED, size)):
            with contextlib.suppress(OSError):
                held = stack.enter_context(socket.socket())
                held.bind(("127.0.0.1", int(first) + turn % size))
                found.append(held.getsockname()[1])
            if len(found) == count:
                return tuple(found)
    raise OSError(f"fewer than {count} ports from {first} to {last} are free")
