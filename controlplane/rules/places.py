"""Where the rule functions stand in their files, by the look of the text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lightbulb.model import Source

_FUNCTION = re.compile(r"^[ \t]*(?:async[ \t]+)?function[ \t]*\*?[ \t]*(define\w*Rule)[ \t]*\(", re.MULTILINE)

Places = Mapping[str, tuple[Source, ...]]
"""File -> its rule functions, in the order of the text; one that is defined twice stands there twice."""


def find_rules(sources: Mapping[str, str]) -> Places:
    """Return where every rule function of `sources` (file -> JavaScript) is, in one pass over each file."""
    return {file: tuple(_in_file(file, sources[file])) for file in sorted(sources)}


def first_places(places: Places) -> Mapping[tuple[str, str], Source]:
    """Return (file, rule) -> where the file defines the rule first."""
    first: dict[tuple[str, str], Source] = {}
    for own in places.values():
        for source in own:
            first.setdefault((source.file, source.rule), source)
    return first


def _in_file(file: str, text: str) -> Iterator[Source]:
    line, counted = 1, 0
    for match in _FUNCTION.finditer(text):
        start = match.start(1)
        line += text.count("\n", counted, start)
        counted = start
        yield Source(rule=match.group(1), file=file, line=line)
