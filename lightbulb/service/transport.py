"""What brings calls to a Lightbulb's methods and their answers back, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

Respond = Callable[[bytes], bytes]
"""Request -> response, both in bytes; raises LightbulbError."""

Methods = Mapping[str, Respond]
"""Of SERVICE, by their names. All are unary."""

SERVICE = "lightbulb.v1.Lightbulb"
MAX_REQUEST_BYTES = 1024 * 1024
"""A larger one isn't read, and ends with RESOURCE_EXHAUSTED."""


class Transport(Protocol):
    """Call `listen`, `start` and `stop`, once each, and in this order."""

    def listen(self, address: str) -> int:
        """Bind to "host:port" and return the port. Raises CannotListen."""

    def start(self) -> None:
        """Begin to answer."""

    async def stop(self, grace: float) -> None:
        """Refuse new calls, and give those under way `grace` seconds. Health has said so already."""
