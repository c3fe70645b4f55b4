"""A real Envoy on a core of its own, configured by an ADS server, and known by its process."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.machine import pinned
from bench.system import Server
from controlplane.cli.processes import free_ports
from lightbulb.sidecar.bootstrap import SidecarSettings
from lightbulb.sidecar.process import is_ready, make_command

READY_SECONDS = 60.0
END_SECONDS = 10.0
LOCAL = "127.0.0.1"


class EnvoyFailed(Exception):
    """Envoy ended, or isn't ready in time; the message has its log."""


@contextlib.contextmanager
def envoy(node_id: str, *, control_plane: int, core: int, folder: Path) -> Iterator[Server]:
    """Give an Envoy with one worker that has its configuration; raises EnvoyFailed."""
    listen, admin = free_ports(2)
    settings = SidecarSettings(
        node_id=node_id,
        control_plane=((LOCAL, control_plane),),
        listen=(LOCAL, listen),
        admin=(LOCAL, admin),
    )
    log = folder / f"envoy-{listen}.log"
    command = make_command(settings, concurrency=1, binary=None)
    with log.open("wb") as output, pinned(core):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_ready(process, (LOCAL, admin), log)
        yield Server(port=listen, pid=process.pid, admin=(LOCAL, admin))
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], admin: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(admin):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EnvoyFailed(f"Envoy isn't ready, or ended:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
