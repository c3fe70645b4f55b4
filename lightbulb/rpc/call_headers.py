"""The headers that an inference call carries: its key, whose it is, what it counts for, its time. Pure."""

from __future__ import annotations

from hashlib import sha256

from lightbulb.model import (
    ARM_HEADER,
    ROUTING_KEY_HEADER,
    SIDECAR_TIMEOUT_HEADER,
    USER_HEADER,
    RequestContext,
)
from lightbulb.rpc.answer import Answer

USER_HASH = 16
"""Hexadecimal digits of a user's hash: 64 bits tell a billion users apart, but for a few pairs."""


SIDECAR_FIRST_MS = 5
"""So much before the caller's deadline the sidecar gives up: only what it gives up itself tells it that a
host hangs. A caller that gives up first just goes away."""


def call_headers(
    answer: Answer, context: RequestContext, timeout: float | None = None
) -> tuple[tuple[str, str], ...]:
    """Return the metadata of an inference call that goes to the model of `answer`, in `timeout` seconds."""
    headers = [(ROUTING_KEY_HEADER, answer.routing_key), (USER_HEADER, user_hash(context.user_id))]
    if answer.arm:
        headers.append((ARM_HEADER, answer.arm))
    if timeout is not None:
        headers.append((SIDECAR_TIMEOUT_HEADER, str(_sidecar_ms(timeout * 1000))))
    return tuple(headers)


def _sidecar_ms(ms: float) -> int:
    return max(1, int(ms - min(SIDECAR_FIRST_MS, ms / 10)))


def user_hash(user_id: str) -> str:
    """Return what stands for a user where proxies and logs may see it: the id's SHA-256, cut short."""
    return sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:USER_HASH]
