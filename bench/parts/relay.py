"""A sidecar's relay, without its Envoy: that is played by the fleet, at the relay's socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

from bench.worker import answer_async
from lightbulb.ads.values import Node
from lightbulb.sidecar.relay import Relay, RelaySettings


def _settings(target: str, world: str, folder: str) -> RelaySettings:
    listener = {"listen_address": "127.0.0.1", "listen_port": "8080"}
    return RelaySettings(
        node=Node(id=f"{world}/0", metadata={"kind": "sidecar", **listener}),
        control_planes=(target,),
        socket=Path(folder) / f"{world}.sock",
        state=Path(folder) / world,
    )


async def main() -> None:
    logging.disable(logging.WARNING)  # that the control plane ends before it does
    async with contextlib.AsyncExitStack() as running:

        async def start(*, target: str, world: str, folder: str) -> dict[str, Any]:
            settings = _settings(target, world, folder)
            await running.enter_async_context(Relay(settings).serving())
            return {"target": f"unix:{settings.socket}"}

        await answer_async(start)


if __name__ == "__main__":
    asyncio.run(main())
