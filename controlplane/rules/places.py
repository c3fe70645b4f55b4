"""Where the rule functions stand in their files, by the look of the text. Pure.

The text is anybody's, so the time is linear in it: what has matched isn't given back (`*+`, `++`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lightbulb.model import Source

_FUNCTION = re.compile(
    r"^[ \t]*+(?:async[ \t]++)?function[ \t]*+\*?[ \t]*+(define\w*Rule)[ \t]*+\(", re.MULTILINE
)
_VARIABLE = re.compile(r"^(?:const|let|var)[ \t]++(define\w*Rule)[ \t]*+=", re.MULTILINE)

Places = Mapping[str, tuple[Source, ...]]
"""File -> its rule functions, in the order of the text; one that is defined twice stands there twice."""


def find_rules(sources: Mapping[str, str]) -> Places:
    """Return where every rule function of `sources` (file -> JavaScript) is, in one pass over each file."""
    return {file: tuple(_matches(_FUNCTION, file, sources[file])) for file in sorted(sources)}


def find_variables(sources: Mapping[str, str]) -> tuple[Source, ...]:
    """Return what is named as a rule at the top of a file but declared as a variable: it would be none."""
    found: list[Source] = []
    for file in sorted(sources):
        found += _matches(_VARIABLE, file, "".join(_without_comments(sources[file])))
    return tuple(found)


def _without_comments(text: str) -> Iterator[str]:
    """Yield what stands outside of /* */, and the line ends inside; a comment without an end is none."""
    at = 0
    while (begin := text.find("/*", at)) >= 0 and (end := text.find("*/", begin + 2)) >= 0:
        yield text[at:begin]
        yield "\n" * text.count("\n", begin, end)
        at = end + 2
    yield text[at:]


def first_places(places: Places) -> Mapping[tuple[str, str], Source]:
    """Return (file, rule) -> where the file defines the rule first."""
    first: dict[tuple[str, str], Source] = {}
    for own in places.values():
        for source in own:
            first.setdefault((source.file, source.rule), source)
    return first


def _matches(pattern: re.Pattern[str], file: str, text: str) -> Iterator[Source]:
    line, counted = 1, 0
    for match in pattern.finditer(text):
        start = match.start(1)
        line += text.count("\n", counted, start)
        counted = start
        yield Source(rule=match.group(1), file=file, line=line)
