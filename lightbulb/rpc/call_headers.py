"""The headers that an inference call carries: its key, the arm that it counts for, and whose it is. Pure."""

from __future__ import annotations

from hashlib import sha256

from lightbulb.model import ARM_HEADER, ROUTING_KEY_HEADER, USER_HEADER, RequestContext
from lightbulb.rpc.answer import Answer

USER_HASH = 16
"""Hexadecimal digits of a user's hash: 64 bits tell a billion users apart, but for a few pairs."""


def call_headers(answer: Answer, context: RequestContext) -> tuple[tuple[str, str], ...]:
    """Return the metadata of an inference call that goes to the model of `answer`."""
    user = (USER_HEADER, user_hash(context.user_id))
    key = (ROUTING_KEY_HEADER, answer.routing_key)
    return (key, user, (ARM_HEADER, answer.arm)) if answer.arm else (key, user)


def user_hash(user_id: str) -> str:
    """Return what stands for a user where proxies and logs may see it: the id's SHA-256, cut short."""
    return sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:USER_HASH]
