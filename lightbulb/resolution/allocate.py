"""Which bucket somebody is in: a hash, projected to 10,000 buckets. Nothing is remembered.

The hash is murmur3-32 of "salt:user", the projection `(hash * 10000) >> 32`. It has no modulo bias, and it
keeps the order of hashes, so a ramp only ever adds users. Every decision has its own salt: one salt used
twice would correlate two experiments.

In place of the user's id it may be the value of an attribute, the *unit* of a decision: a session, a device.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import mmh3

from lightbulb.model import BASIS_POINTS, FIXED_ATTRIBUTES, AbRule, AttributeValue, RequestContext

HASH, UNSIGNED = mmh3.hash, False
"""`HASH(salt_prefix(salt) + user_id, 0, UNSIGNED)` is a user's hash, from 0 to 2**32 - 1."""


def bucket(salt: str, user_id: str) -> int:
    """Return the user's bucket for a decision, from 0 to 9999."""
    return (HASH(salt_prefix(salt) + user_id, 0, UNSIGNED) * BASIS_POINTS) >> 32


def in_layer(rule: AbRule, user_id: str) -> bool:
    """Say whether the user is in the part of the layer that the test owns."""
    if not rule.layer_salt:
        return True
    return rule.layer_begin <= bucket(rule.layer_salt, user_id) < rule.layer_end


def salt_prefix(salt: str) -> str:
    """Return the text that is put before the user's id, to be hashed."""
    return f"{salt}:"


def first_hash(position: int) -> int:
    """Return the lowest hash whose bucket is `position` or a later one.

    With it a hash can be compared with a bucket, without projecting the hash.
    """
    return -(-(position << 32) // BASIS_POINTS)


def identify(unit: str) -> Callable[[RequestContext], str]:
    """Return what gives the text that is hashed of a context; an empty one if it takes no part."""
    if not unit:
        return attrgetter("user_id")
    if unit in FIXED_ATTRIBUTES:
        return attrgetter(unit)
    return lambda context: _text(context.attributes.get(unit))


def _text(value: AttributeValue | None) -> str:
    """Return what tells one from another: a text, or a whole number as it is written."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def without_unit(unit: str, context: RequestContext) -> str:
    """Return why a context has no place in what is counted by `unit`."""
    value = context.attributes.get(unit)
    found = "absent" if value is None or unit in FIXED_ATTRIBUTES else f"{value!r:.80}"
    return f"it goes by {unit}, which is {found}" + ("" if found == "absent" else ", no text or whole number")
