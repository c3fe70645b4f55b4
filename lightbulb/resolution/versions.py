"""Semantic versions as keys that order by precedence, as semver.org 2.0.0 says in section 11."""

from __future__ import annotations

import re
from functools import lru_cache

_SEMVER = re.compile(
    r"(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]{1,64})?",
    re.ASCII,
)
_LENIENT = re.compile(
    r"[vV]?(\d{1,10})(?:\.(\d{1,10}))?(?:\.(\d{1,10}))?(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]{1,64})?",
    re.ASCII,
)

_Identifier = tuple[int, int, str]
VersionKey = tuple[int, int, int, bool, tuple[_Identifier, ...]]


@lru_cache(maxsize=4096)
def semver_key(text: str) -> VersionKey | None:
    """Return the key of a semantic version; None when `text` is none."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    pre = match[4]
    parts = pre.split(".") if pre else []
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in parts):
        return None
    return _key(match, parts)


@lru_cache(maxsize=4096)
def lenient_key(text: str) -> VersionKey | None:
    """Return the key of a version as clients write it; None when `text` is none.

    "5.1", "v5.1" and "5.01" count as 5.1.0, and "5" as 5.0.0.
    """
    match = _LENIENT.fullmatch(text)
    if match is None:
        return None
    pre = match[4]
    return _key(match, pre.split(".") if pre else [])


def completed(text: str) -> str | None:
    """Return a version as authors write it: "5.1.0" for "v5.1"; None when `text` is none."""
    match = _LENIENT.fullmatch(text)
    if match is None:
        return None
    begin = match.end(3) if match[3] else match.end(2) if match[2] else match.end(1)
    whole = ".".join(str(int(number or 0)) for number in match.group(1, 2, 3)) + text[begin:]
    return whole if semver_key(whole) else None


def _key(match: re.Match[str], parts: list[str]) -> VersionKey | None:
    if not all(parts):
        return None
    # Numeric identifiers order by value, before alphanumeric ones. A release comes after its pre-releases.
    identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
    return int(match[1]), int(match[2] or 0), int(match[3] or 0), not parts, identifiers
