"""Durations as people write them, in rules and on the command line: a number and s, m, h or d. Pure."""

from __future__ import annotations

import re
from types import MappingProxyType

_DURATION = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)(s|m|h|d)")
_SECONDS = MappingProxyType({"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0})

ADVICE = "a number above 0 and s, m, h or d, for example 30m"


def seconds_of(text: str) -> float | None:
    """Return how many seconds a text says; None when it is no duration, or none above 0."""
    found = _DURATION.fullmatch(text)
    return None if found is None or not float(found[1]) else float(found[1]) * _SECONDS[found[2]]
