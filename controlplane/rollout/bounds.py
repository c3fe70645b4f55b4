"""How much may be live at once: not how many generations, but what they don't share. Pure.

A generation that shares its tables and routes with others is a number. What it has of its own is kept by
every Lightbulb and sidecar; what hosts keep of it the fleet's memory bounds, when a publish is planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controlplane.rollout.state import MAX_LIVE, Generation

ANY_LIVE: Final = 8
"""So many generations may be live and leaving at once, whatever is in them."""

MAX_APART_KEYS: Final = 20_000
"""Keys of generations that the newest of them hasn't: each is an entry in a map at every sidecar."""

MAX_APART_BYTES: Final = 32 * 1024 * 1024
"""Tables likewise: half of what one message of ADS may have, should all be one objective's."""


def too_much(generations: Sequence[Generation]) -> bool:
    """Say whether generations, oldest first, are more than may be live beside another one."""
    if len(generations) <= ANY_LIVE:
        return False
    if len(generations) > MAX_LIVE:
        return True
    *older, newest = generations
    return _keys_apart(older, newest) > MAX_APART_KEYS or _bytes_apart(older, newest) > MAX_APART_BYTES


def _keys_apart(older: Sequence[Generation], newest: Generation) -> int:
    """Count the keys of others that `newest` hasn't; a route is one object where generations share it."""
    shared = set(map(id, newest.plan.routes))
    apart = {
        id(route): route.key
        for each in older
        if each.plan.routes is not newest.plan.routes
        for route in each.plan.routes
        if id(route) not in shared
    }
    return len(set(apart.values()) - {route.key for route in newest.plan.routes})


def _bytes_apart(older: Sequence[Generation], newest: Generation) -> int:
    """Add up the tables of others that `newest` hasn't; a table is one object where generations share it."""
    shared = set(map(id, newest.plan.tables))
    apart = {
        id(table): size
        for each in older
        for table, size in zip(each.plan.tables, each.table_bytes, strict=False)
        if id(table) not in shared
    }
    return sum(apart.values())
