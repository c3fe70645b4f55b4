"""Ends an Envoy gently: no new connections, and time for the requests that are under way. Blocking."""

from __future__ import annotations

import http.client
import time

from lightbulb.sidecar.admin import Address, ask

DRAIN_SECONDS = 5.0
POLL_SECONDS = 0.05


def drain(admin: Address) -> None:
    """Return once the Envoy with this admin address has no request under way, or after DRAIN_SECONDS."""
    deadline = time.monotonic() + DRAIN_SECONDS
    _ask(admin, "POST", "/drain_listeners?graceful&skip_exit")
    while _active_requests(admin) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _active_requests(admin: Address) -> int:
    """Return how many requests are under way; 0 when Envoy doesn't answer."""
    _, _, count = _ask(admin, "GET", "/stats?filter=^http.lightbulb.downstream_rq_active$").rpartition(": ")
    return int(count) if count.strip().isdigit() else 0


def _ask(admin: Address, method: str, path: str) -> str:
    """Return Envoy's answer; empty when there is none."""
    try:
        return ask(admin, method, path)[1].decode()
    except (OSError, http.client.HTTPException):
        return ""
