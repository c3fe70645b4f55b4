"""Which bucket a user falls into: a hash, a projection, and nothing that remembers.

murmur3-32 of "salt:user", projected onto [0, 10000) by `(h * total) >> 32`: no modulo bias, and the
order of buckets is the order of hashes, so a ramp only ever adds users. Every decision has a salt of
its own; one salt used twice would correlate two experiments.
"""

from __future__ import annotations

import mmh3

from lightbulb.model import BASIS_POINTS, AbRule

HASH, UNSIGNED = mmh3.hash, False
"""`HASH(salt_prefix(salt) + user_id, 0, UNSIGNED)` is what buckets are projected from, in [0, 2**32)."""


def bucket(salt: str, user_id: str) -> int:
    """Return the user's bucket for a decision, in [0, 10000)."""
    return (HASH(salt_prefix(salt) + user_id, 0, UNSIGNED) * BASIS_POINTS) >> 32


def in_layer(rule: AbRule, user_id: str) -> bool:
    """Say whether the test owns the part of its layer that the user is in."""
    if not rule.layer_salt:
        return True
    return rule.layer_begin <= bucket(rule.layer_salt, user_id) < rule.layer_end


def salt_prefix(salt: str) -> str:
    """Return what stands before the user's id in what is hashed."""
    return f"{salt}:"


def first_hash(position: int) -> int:
    """Return the lowest hash whose bucket is `position` or a later one.

    What compares many users with few positions compares their hashes, and projects none of them.
    """
    return -(-(position << 32) // BASIS_POINTS)
