"""What a subscriber holds: its resources, by type and name. Pure.

held = applied(held, update, rejected)    after each update
Subscriber(..., held=versions(held))      to go on from there
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lightbulb.ads.client.session import Update
from lightbulb.ads.values import STAMP, Resource

Held = Mapping[str, Mapping[str, Resource]]
"""Type URL -> name -> resource. Never changed: whoever has one may keep it."""

NOTHING_HELD: Held = MappingProxyType({})


def applied(held: Held, update: Update, rejected: Mapping[str, str]) -> Held:
    """Return what is held once `update` was applied, but for what was rejected.

    It is `held` itself when nothing of it has changed.
    """
    before = held.get(update.type_url, {})
    after = dict(before)
    after.update({each.name: each for each in update.added if each.name not in rejected})
    for name in update.removed:
        if name not in rejected:
            after.pop(name, None)
    if after == before:
        return held
    return MappingProxyType({**held, update.type_url: MappingProxyType(after)})


def versions(held: Held) -> Mapping[str, Mapping[str, str]]:
    """Return type URL -> name -> version."""
    return {
        type_url: {name: each.version for name, each in resources.items()}
        for type_url, resources in held.items()
    }


def with_stamp(held: Held, stamp: str) -> Held:
    """Return what is to be kept: also how new it is, lest a control plane that is behind take it back."""
    if not stamp:
        return held
    return MappingProxyType({**held, STAMP: {STAMP: Resource(name=STAMP, version=stamp, body=b"")}})


def stamp_of(kept: Held) -> str:
    """Return how new what was kept is; empty when it doesn't say."""
    stamp = kept.get(STAMP, {}).get(STAMP)
    return stamp.version if stamp is not None else ""
