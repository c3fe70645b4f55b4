"""Whether an address can be listened on, as the system says it."""

from __future__ import annotations

import socket


def why_not(host: str, port: int | str) -> str:
    """Return what keeps an address from being listened on now; empty when nothing does."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            # Ports of connections that have ended may be listened on; those that are listened on may not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError as error:
        return error.strerror or str(error)
    return ""
