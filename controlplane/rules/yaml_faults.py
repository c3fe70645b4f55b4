"""What PyYAML says of a text that it can't read, in words that say what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

_TOKEN = re.compile(r"[^,\]}\n#]{1,40}")
_NO_BLANK = re.compile(r"\s*(?:- +)*[\w.-]+:\S[^\n]*\s*")
_NO_CHARACTER = re.compile(r"#x([0-9a-f]{1,8})")

_BY_TEXT = (
    ("scanning an alias", "* begins an alias, and there are none here", "quote it"),
    ("scanning an anchor", "& begins an anchor, and there are none here", "quote it"),
    ("escape c", "a backslash in double quotes changes what follows it", "use single quotes"),
    (" tag", "tags are not allowed", "quote a text that begins with !"),
    ("nesting depth", "exceeded maximum nesting depth", "flatten it"),
    (
        "block sequence entries",
        "a list begins on the line of its key",
        "write - at the beginning of the next line, or quote a text that begins with -",
    ),
    ("mapping keys", "? begins a key", "quote a text that begins with ?"),
    ("expected key", "it fits nowhere", "indent it as its neighbours; quote a value as a whole"),
    ("'-' indicator", "it is no item of the list above", "write - before it, or indent it otherwise"),
    ("could not find expected ':'", "it is no key with a value", "write key: value, a blank after the colon"),
    ("<document start>", "the text goes on after the document's end", "keep one document"),
    ("scanning a directive", "a line that begins with % is a directive", "quote it"),
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """A text, and where it can't be read; lines count from 1. `begun` is where that which can't be begins."""

    text: str
    line: int
    at: int
    begun_line: int
    begun: int


_Explained = tuple[int, str, str]


def explained(error: yaml.YAMLError, text: str) -> _Explained:
    """Return the line, what is wrong there, and what to do."""
    said = str(getattr(error, "problem", None) or error)
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return _unreadable(said, text)
    begun = getattr(error, "context_mark", None) or mark
    fault = _Fault(text, int(mark.line) + 1, int(mark.index), int(begun.line) + 1, int(begun.index))
    whole = f"{getattr(error, 'context', None) or ''}: {said}"
    for pattern, explain in _BY_PLACE:
        if pattern.search(whole):
            return explain(fault)
    for part, message, remedy in _BY_TEXT:
        if part in whole:
            return fault.begun_line if part.startswith("could not") else fault.line, message, remedy
    return fault.line, said, "mend the YAML; what has punctuation in it is safest in quotes"


def _open(fault: _Fault) -> _Explained:
    message = f"what opens on line {fault.begun_line} is not closed"
    return fault.line, message, "close it, or write a comma before this"


def _node(fault: _Fault) -> _Explained:
    found = fault.text[fault.at : fault.at + 1]
    message = f"{found} stands where a value is to be" if found else "the text ends where a value is to be"
    return fault.line, message, "write the value, or quote it, and close what was opened"


def _unclosed(fault: _Fault) -> _Explained:
    return fault.begun_line, "the quote that opens here is not closed", "close it"


def _tab_or_character(fault: _Fault) -> _Explained:
    if fault.text[fault.at : fault.at + 1] == "\t":
        return fault.line, "a tab stands where only blanks may", "indent with blanks"
    return _no_beginning(fault)


def _no_beginning(fault: _Fault) -> _Explained:
    """Return the problem with a character that no plain value begins with, and the value in quotes."""
    first = fault.text[fault.begun : fault.begun + 1]
    match = _TOKEN.match(fault.text, fault.begun)
    token = match.group().strip() if match else ""
    remedy = f'quote it: "{token}"' if token and not {'"', "\\"} & set(token) else "quote it"
    return fault.line, f"a value can't begin with {first} unless it is quoted", remedy


def _second_colon(fault: _Fault) -> _Explained:
    """Return the problem with a colon where there can be no key."""
    lines = fault.text.splitlines()
    before = lines[fault.line - 2] if 2 <= fault.line <= len(lines) else ""
    if _NO_BLANK.fullmatch(before):
        return fault.line - 1, "no blank follows the colon", "write a blank after the colon"
    remedy = 'indent keys alike, and quote a text that has ": " in it'
    return fault.line, "a colon stands where no key can be", remedy


def _unreadable(said: str, text: str) -> _Explained:
    """Return the problem with a character that YAML has not: a bell, a zero."""
    code = _NO_CHARACTER.search(said)
    if code is None:
        return 1, " ".join(said.split()), "mend the YAML"
    at = text.find(chr(int(code.group(1), 16)))
    message = f"the character U+{int(code.group(1), 16):04X} is not allowed"
    return text.count("\n", 0, max(at, 0)) + 1, message, "take it out"


_BY_PLACE: tuple[tuple[re.Pattern[str], Callable[[_Fault], _Explained]], ...] = (
    (re.compile("tab character|start any token"), _tab_or_character),
    (re.compile("comment or line break"), _no_beginning),
    (re.compile("a quoted scalar: found unexpected"), _unclosed),
    (re.compile("expected ',' or"), _open),
    (re.compile("mapping values"), _second_colon),
    (re.compile("node content"), _node),
)
"""What is explained by what stands there."""
