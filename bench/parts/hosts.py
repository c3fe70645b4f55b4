"""Serving hosts, as far as their control plane can tell: they acknowledge every model, and load none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from bench.worker import answer_async
from lightbulb.ads.client.subscriber import Backoff, Subscriber, Update
from lightbulb.ads.values import MODEL_ASSIGNMENT, Node

LONGEST_PAUSE = 0.5
"""Seconds between attempts to connect: a restart is not to be measured by who comes back late."""


async def _accept(_: Update) -> Mapping[str, str]:
    return {}


def _host(target: str, shard: str) -> Subscriber:
    metadata = {"kind": "host", "shard": shard, "address": "127.0.0.1", "port": "9", "memory_mib": "65536"}
    node = Node(id=f"host-{shard}", cluster=shard, metadata=metadata)
    return Subscriber(
        target=target,
        node=node,
        types=(MODEL_ASSIGNMENT,),
        apply=_accept,
        backoff=Backoff(limit=LONGEST_PAUSE),
    )


async def main() -> None:
    logging.disable(logging.WARNING)  # that the control plane isn't there yet
    running: set[asyncio.Task[None]] = set()

    async def start(*, target: str, shards: list[str]) -> dict[str, Any]:
        running.update(asyncio.create_task(_host(target, shard).run()) for shard in shards)
        return {}

    await answer_async(start)
    for task in running:
        task.cancel()
    await asyncio.wait(running)


if __name__ == "__main__":
    asyncio.run(main())
