"""Which resources of a response a client refused, and why. Pure.

What a NACK says by name counts. Envoy's NACKs say it in a text alone, in which names are looked for here,
and nowhere after: who reads refusals reads name -> reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

MAX_REASON = 500

EVERYTHING = ""
"""Stands for the name where all that was sent of a type was refused, and it can't be told what of it."""

TypeAndName = tuple[str, str]
"""Type URL and name of a resource, or EVERYTHING. Resources of two types may have the same name."""

_TOKEN = re.compile(r"[^\s,;'\"()\[\]{}]+")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A version that the client refused, empty for a removal, and why."""

    version: str
    reason: str


def reasons_of(
    error: str, refused: Mapping[str, str], *, sent: AbstractSet[str], removed: Collection[str]
) -> Mapping[str, str]:
    """Return name -> reason of what was refused of a response; empty when it can't be told.

    `error` and `refused` are the NACK's text and its reasons by name, `sent` and `removed` the names of the
    resources that the response brought and took away.
    """
    said = {name: refused[name][:MAX_REASON] for name in refused if name in sent or name in removed}
    return said or _in_text(error, sent=sent, removed=removed)


def _in_text(error: str, *, sent: AbstractSet[str], removed: Collection[str]) -> Mapping[str, str]:
    """Return what a text names of what was sent; what was sent alone needn't be named."""
    if not sent:
        return dict.fromkeys(removed, error[:MAX_REASON])
    tokens = {token.rstrip(".:") for token in _TOKEN.findall(error)}
    named = tokens & sent
    if not named and len(sent) == 1:
        named = set(sent)
    about = _first_lines(error)
    return {name: about.get(name, error)[:MAX_REASON] for name in named}


def _first_lines(error: str) -> Mapping[str, str]:
    """Return what each line "name: reason" of a text says, the first of a name, in one pass."""
    about: dict[str, str] = {}
    for line in error.splitlines():
        name, colon, reason = line.partition(": ")
        if colon:
            about.setdefault(name, reason)
    return about
