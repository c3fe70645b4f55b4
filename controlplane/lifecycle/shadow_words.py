"""A shadow's end and size as people write them, in rules and on the command line. Pure."""

from __future__ import annotations

import re
from types import MappingProxyType

from controlplane.lifecycle.durations import seconds_of
from controlplane.lifecycle.shadow import Ends

_PAIRS = re.compile(r"(\d{1,10})\s*pairs?")
_SIZE = re.compile(r"(\d{1,8})\s*(B|KiB|MiB)?")
_UNITS = MappingProxyType({None: 1, "B": 1, "KiB": 1024, "MiB": 1024 * 1024})

END_ADVICE = "2000pairs, or a time such as 24h"
SIZE_ADVICE = "a number and KiB or MiB, for example 4MiB"


def end_of(text: str) -> Ends | None:
    """Return when a shadow ends: after so many pairs, or seconds; None when a text says neither."""
    plain = text.replace(",", "").strip()
    found = _PAIRS.fullmatch(plain)
    if found is not None:
        return Ends(pairs=int(found[1])) if int(found[1]) else None
    seconds = seconds_of(plain)
    return None if seconds is None else Ends(lasts=seconds)


def together(ends: tuple[Ends, ...]) -> Ends:
    """Return when a shadow ends; of several that say the same, the last counts."""
    pairs, lasts = 0, 0.0
    for each in ends:
        pairs, lasts = each.pairs or pairs, each.lasts or lasts
    return Ends(pairs=pairs, lasts=lasts)


def bytes_of(text: str) -> int | None:
    """Return how many bytes a text says; None when it is no size."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else int(found[1]) * _UNITS[found[2]]
