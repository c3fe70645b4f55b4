"""Opens channels, to where they are told: without a proxy, unless one is asked for.

gRPC would take the proxy that `http_proxy`, `https_proxy` or `grpc_proxy` names, for 127.0.0.1 too. These are
set for the way out to the Internet; processes of one system are on this side of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

Options = Sequence[tuple[str, Any]]

DIRECT: tuple[tuple[str, int], ...] = (("grpc.enable_http_proxy", 0),)
"""Options of a channel that leaves proxies aside."""


def open_channel(
    target: str,
    options: Options = (),
    *,
    credentials: grpc.ChannelCredentials | None = None,
    proxy: bool = False,
) -> grpc.Channel:
    """Return a channel. With `proxy` it uses the one that the environment names, if any."""
    every = _with_proxy(options, proxy=proxy)
    if credentials is None:
        return grpc.insecure_channel(target, options=every)
    return grpc.secure_channel(target, credentials, options=every)


def open_aio_channel(
    target: str,
    options: Options = (),
    *,
    credentials: grpc.ChannelCredentials | None = None,
    proxy: bool = False,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """Return a channel for asyncio, as `open_channel` does."""
    every = _with_proxy(options, proxy=proxy)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=every, interceptors=list(interceptors))
    return grpc.aio.secure_channel(target, credentials, options=every, interceptors=list(interceptors))


def _with_proxy(options: Options, *, proxy: bool) -> list[tuple[str, Any]]:
    return [*options] if proxy else [*options, *DIRECT]
