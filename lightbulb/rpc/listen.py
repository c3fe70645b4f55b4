"""Takes an address for one server alone, and says why when it can't."""

from __future__ import annotations

import grpc
import grpc.aio

from lightbulb.errors import CannotListen
from lightbulb.ports import why_not

LISTEN_OPTIONS = (("grpc.so_reuseport", 0),)
"""For every server. By default two servers may share a port, and each would get half of the calls."""


def listen(
    server: grpc.Server | grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None = None
) -> int:
    """Bind `server` to "host:port" and return the port. For port 0 the system chooses one.

    Raises CannotListen, with the address and the reason.
    """
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise cannot_listen(address, error) from error


def cannot_listen(address: str, error: Exception) -> CannotListen:
    """Return what to raise for an address that couldn't be bound: with the system's reason."""
    return CannotListen(f"can't listen on {address}: {_why(address) or error}")


def _why(address: str) -> str:
    """Return the system's reason, which gRPC doesn't pass on. Empty when the address is free by now."""
    host, _, port = address.rpartition(":")
    reason = why_not(host.strip("[]"), port)
    return f"{reason} (port {port}); choose another address" if reason else ""
