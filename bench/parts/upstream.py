"""The cheapest upstream that an Envoy takes: every HTTP/2 request is answered 200, without a body."""

from __future__ import annotations

import asyncio
from typing import Any

from bench import http2
from bench.worker import answer_async

OK = bytes((http2.STATUS_200,))


class Upstream(asyncio.Protocol):
    """One connection. Requests have no body, so a HEADERS frame is all of one."""

    def __init__(self) -> None:
        self._rest = b""
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(http2.frame(http2.SETTINGS, 0, 0))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._greeted:
            if len(data) < len(http2.PREFACE):
                self._rest = data
                return
            self._greeted, data = True, data[len(http2.PREFACE) :]
        frames, self._rest = http2.split(data)
        self._transport.write(b"".join([_reply(*frame) for frame in frames]))


def _reply(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    if kind == http2.HEADERS:
        return http2.frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, OK)
    if kind in {http2.SETTINGS, http2.PING} and not flags & http2.ACK:
        return http2.frame(kind, http2.ACK, 0, payload if kind == http2.PING else b"")
    return b""


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def address() -> dict[str, Any]:
        return {"port": port}

    await answer_async(address)


if __name__ == "__main__":
    asyncio.run(main())
