"""A process of ours on a core of its own: a line of JSON in, a line of JSON out. Both ends of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

from bench.machine import cpu_seconds, pinned

ANSWER_SECONDS = 300.0
END_SECONDS = 10.0


FAILURE = "failure"


class WorkerFailed(Exception):
    """A worker said that it failed, or ended, or didn't answer in time."""


class Worker:
    """`python -m MODULE`, pinned to a core; leaving the block ends it."""

    def __init__(self, module: str, core: int) -> None:
        self._module = module
        with pinned(core):
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # gRPC's core would log every connection that a control plane ends
                env={"GRPC_VERBOSITY": "NONE", **os.environ},
                start_new_session=True,  # Ctrl-C is for whoever asks
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, seconds: float = ANSWER_SECONDS, **request: object) -> dict[str, Any]:
        """Return the worker's answer; raises WorkerFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        killer = threading.Timer(seconds, self._process.kill)
        killer.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            killer.cancel()
        if not line:
            raise WorkerFailed(f"{self._module} gave no answer within {seconds:g} s, or ended")
        answer: dict[str, Any] = json.loads(line)
        if FAILURE in answer:
            raise WorkerFailed(f"{self._module}: {answer[FAILURE]}")
        return answer

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()  # which it takes as the end
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def answer(handle: Callable[..., dict[str, Any]]) -> None:
    """Be a worker: answer each request with what `handle(**request)` returns, until input ends."""
    for line in sys.stdin:
        try:
            answered = handle(**json.loads(line))
        except Exception as error:  # noqa: BLE001 - whoever asked says it
            answered = _failure(error)
        print(json.dumps(answered), flush=True)


async def answer_async(handle: Callable[..., Awaitable[dict[str, Any]]]) -> None:
    """Be a worker whose event loop runs on between requests."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            answered = await handle(**json.loads(line))
        except Exception as error:  # noqa: BLE001
            answered = _failure(error)
        print(json.dumps(answered), flush=True)


def _failure(error: Exception) -> dict[str, Any]:
    return {FAILURE: f"{type(error).__name__}: {error}"}
