"""Asks Envoy's admin interface. Blocking."""

from __future__ import annotations

import contextlib
import http.client

ADMIN_SECONDS = 2.0

Address = tuple[str, int]


def ask(admin: Address, method: str, path: str, limit: int | None = None) -> tuple[int, bytes]:
    """Return the status, and the body up to `limit` bytes; raises OSError and HTTPException."""
    with contextlib.closing(http.client.HTTPConnection(*admin, timeout=ADMIN_SECONDS)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read(limit)
