"""A process that stands between a sidecar's relay and its control planes: the network between them.

    python -m chaos.link SECONDS LISTEN=TARGET…

What comes is passed on `SECONDS` later, each way. Stopped (SIGSTOP), it is a partition: nothing gets through,
nobody is told (no FIN, no RST), and who connects is taken by the kernel and then ignored. Continued, it is a
network that is whole again: as TCP would have sent it once more, what was under way arrives late.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

CHUNK_BYTES = 1 << 16

Address = tuple[str, int]


async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on what comes, `seconds` later, until one of the two ends it."""
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK_BYTES):
            await asyncio.sleep(seconds)  # not for anything to happen: so long is the way
            sink.write(data)
            await sink.drain()


async def carry(
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter], target: Address, seconds: float
) -> None:
    """Connect one that came to the target; whichever ends it ends both, as it is when they meet directly."""
    with contextlib.closing(near[1]), contextlib.suppress(OSError):
        far = await asyncio.open_connection(*target)
        with contextlib.closing(far[1]):
            there = asyncio.create_task(pass_on(near[0], far[1], seconds))
            back = asyncio.create_task(pass_on(far[0], near[1], seconds))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            there.cancel()
            back.cancel()


async def serve(listen: Address, target: Address, seconds: float) -> None:
    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await carry((reader, writer), target, seconds)

    async with await asyncio.start_server(taken, *listen) as server:
        await server.serve_forever()


async def main() -> None:
    seconds, *ways = sys.argv[1:]
    async with asyncio.TaskGroup() as group:
        for listen, _, target in (way.partition("=") for way in ways):
            group.create_task(serve(_address(listen), _address(target), float(seconds)))


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    asyncio.run(main())
