"""Output that any terminal can take: what it has no character for is written in other ones."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Mapping
from types import MappingProxyType

_HANDLER = "lightbulb.plain"

_PLAIN: Mapping[str, str] = MappingProxyType({"…": "...", "→": "->", "•": "*", "─": "-"})


def make_safe() -> None:
    """Let this process' output fail for no character: a Latin-1 terminal, or a file name that isn't text."""
    codecs.register_error(_HANDLER, _in_other_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def takes_everything() -> bool:
    """Say whether stdout has every character of Unicode."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")


def _in_other_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each, "?") for each in part), error.end
