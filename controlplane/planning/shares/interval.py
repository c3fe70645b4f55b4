"""Between which shares of all users the true one lies, if of so many who were counted some had it. Pure."""

from __future__ import annotations

import math

CONFIDENCE = 0.99
"""How often the true share lies in the interval, at least: it is Clopper and Pearson's."""

_STEPS = 30
"""Halvings: an end is off by less than a billionth, and to the outside."""

_NEGLIGIBLE = 1e-12


def interval(hits: int, users: int) -> tuple[float, float]:
    """Return the least and the most share of all, of whom `hits` of `users` drawn by chance had it."""
    return 1 - _most(users - hits, users), _most(hits, users)


def _most(hits: int, users: int) -> float:
    """Return the largest share of which so few hits aren't too rare."""
    if hits == users:
        return 1.0
    low, high = hits / users, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(hits, users, middle) > (1 - CONFIDENCE) / 2:
            low = middle
        else:
            high = middle
    return high


def _at_most(hits: int, users: int, share: float) -> float:
    """Return how likely it is to have no more than `hits`, which is below what is expected of that share."""
    ways = math.lgamma(users + 1) - math.lgamma(hits + 1) - math.lgamma(users - hits + 1)
    term = math.exp(ways + hits * math.log(share) + (users - hits) * math.log1p(-share))
    total = 0.0
    while term > _NEGLIGIBLE * total:
        total += term
        term *= hits / (users - hits + 1) * (1 - share) / share
        hits -= 1
    return total
