"""A sidecar as one tree of processes: the relay in this one, and Envoy as its child."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecar import tether
from sidecar.bootstrap import SidecarSettings
from sidecar.drain import drain
from sidecar.process import Sidecar, SidecarFailed
from sidecar.relay import CannotRelay, Relay, RelaySettings

GRACE_SECONDS = 5.0
"""From SIGTERM to Envoy until SIGKILL."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Addresses are (host, port); those that Envoy listens on are IP addresses."""

    node_id: str
    control_planes: tuple[Address, ...]
    listen: Address
    admin: Address
    concurrency: int = 1
    envoy: Path | None = None


async def run(settings: RunSettings) -> int:
    """Run until Envoy ends, or SIGTERM or SIGINT comes; return Envoy's exit code, 128 + N by signal N.

    Should this process be killed, the kernel kills Envoy. Raises SidecarFailed.
    """
    with tempfile.TemporaryDirectory(prefix="lightbulb-") as folder:  # only its owner may look inside
        socket = Path(folder) / "ads"
        sidecar = SidecarSettings(
            node_id=settings.node_id, control_plane=socket, listen=settings.listen, admin=settings.admin
        )
        launch = Sidecar(
            sidecar, log=Path(os.devnull), concurrency=settings.concurrency, binary=settings.envoy
        ).command()
        relay_settings = RelaySettings(
            node=sidecar.node,
            control_plane=grpc_target(settings.control_planes, settings.node_id),
            listen=f"unix:{socket}",
        )
        relay = Relay(relay_settings)
        asked = _when_asked_to_end()
        try:
            async with relay.serving() as following:
                return await _run_beside(following, asked, launch, settings.admin)
        except CannotRelay as error:
            raise SidecarFailed(str(error)) from error


def grpc_target(addresses: Sequence[Address], node_id: str) -> str:
    """Return what gRPC connects to. Of several control planes, each node begins with another one.

    gRPC takes a list of IP addresses, and none of names.
    """
    first = zlib.crc32(node_id.encode()) % len(addresses)
    texts = [f"{host}:{port}" for host, port in (*addresses[first:], *addresses[:first])]
    return texts[0] if len(texts) == 1 else f"ipv4:{','.join(texts)}"


async def _run_beside(
    following: asyncio.Task[None], asked: asyncio.Event, command: Sequence[str], admin: Address
) -> int:
    async with _envoy(command) as envoy:
        ended, asking = asyncio.create_task(envoy.wait()), asyncio.create_task(asked.wait())
        await asyncio.wait({following, ended, asking}, return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        if following.done():
            following.result()  # a fault of ours: it says what
        if not ended.done():
            await asyncio.to_thread(drain, admin)
    code = await ended
    return code if code >= 0 else 128 - code


@contextlib.asynccontextmanager
async def _envoy(command: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Envoy in a process group of its own: it is this process that ends it."""
    tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
    process = await asyncio.create_subprocess_exec(
        *tethered, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(GRACE_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _when_asked_to_end() -> asyncio.Event:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    return asked
