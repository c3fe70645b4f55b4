"""Regular expressions that take linear time: RE2's. The only place that knows the library.

It is imported with the first pattern: whoever has no table with one, such as a client that asks a Lightbulb,
needs no RE2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from lightbulb.resolution.bad_value import BadValue

MAX_PATTERN = 256
"""Characters of a pattern."""

MAX_PROGRAM = 1_000
"""Instructions that a pattern compiles to; `x{100}` has a hundred."""

MAX_PATTERNS = 16
"""Patterns of one comparison."""

MAX_REMEMBERED = 256
"""Texts whose outcome a comparison remembers: a search takes a microsecond, and devices are few."""

_MEMORY = 256 * 1024
"""Bytes that a pattern may use while it searches."""

_SYNTAX = "write RE2's syntax: https://github.com/google/re2/wiki/Syntax"


def pattern_test(texts: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether one of some patterns is found in a text; raise BadValue."""
    patterns = tuple(map(_search, texts))
    if len(patterns) > MAX_PATTERNS:
        raise BadValue(f"{len(patterns)} patterns; {MAX_PATTERNS} are allowed", 'join them: "^(one|other)"')

    @lru_cache(maxsize=MAX_REMEMBERED)
    def found(text: str) -> bool:
        encoded = text.encode("utf-8", "replace")
        return any(search(encoded) is not None for search in patterns)

    return found


def _search(text: str) -> Callable[[bytes], object]:
    if len(text) > MAX_PATTERN:
        raise BadValue(f"a pattern of {len(text)} characters; {MAX_PATTERN} are allowed", "shorten it")
    re2 = _library()
    try:
        pattern = re2.compile(text, _options())
    except re2.error as error:
        reason = error.args[0]
        why = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadValue(f"{text!r} is not a pattern: {why}", _SYNTAX) from error
    size = max(pattern.programsize, pattern.reverseprogramsize)
    if size > MAX_PROGRAM:
        raise BadValue(
            f"{text!r} compiles to {size} instructions; {MAX_PROGRAM} are allowed", "lower its repetitions"
        )
    search: Callable[[bytes], object] = pattern.search
    return search


@lru_cache(maxsize=1)
def _options() -> Any:
    options = _library().Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MEMORY
    return options


@lru_cache(maxsize=1)
def _library() -> Any:
    try:
        import re2  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise BadValue(
            "`matches` needs google-re2, which isn't installed", 'pip install "lightbulb-routing[service]"'
        ) from error
    return re2
