"""Dates and date-times of RFC 3339 as instants, in nanoseconds since 1970. A date is its midnight, UTC."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

_STRICT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?", re.ASCII)
_LENIENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d)))?",
    re.ASCII,
)
_EPOCH = date(1970, 1, 1).toordinal()


def strict_instant(text: str) -> int | None:
    """Return the instant of a date or date-time as authors write it; None when `text` is none."""
    return instant(text) if _STRICT.fullmatch(text) else None


@lru_cache(maxsize=4096)
def instant(text: str) -> int | None:
    """Return the instant of a date or date-time as clients send it; None when `text` is none.

    A date-time has a zone, and may have a blank for the T. A leap second is the start of the next minute.
    """
    match = _LENIENT.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, ahead, behind = (int(match[group] or 0) for group in (4, 5, 6, 9, 10))
    if hour > 23 or minute > 59 or second > 60 or ahead > 23 or behind > 59:
        return None
    try:
        days = date(int(match[1]), int(match[2]), int(match[3])).toordinal() - _EPOCH
    except ValueError:  # no such day
        return None
    offset = (ahead * 60 + behind) * (-1 if match[8] == "-" else 1)
    seconds = days * 86_400 + (hour * 60 + minute - offset) * 60 + second
    return seconds * 1_000_000_000 + int((match[7] or "").ljust(9, "0"))
