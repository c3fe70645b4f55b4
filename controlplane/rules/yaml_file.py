"""YAML with line numbers: nodes are read into what is expected of them, and every misfit is a problem.

YAML 1.1's surprises are left out: only `true` and `false` are booleans (NO is Norway), a version 1.10
stays "1.10", and anchors, aliases and tags are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sized
from difflib import get_close_matches
from typing import TypeVar, cast

from controlplane.model import Location
from controlplane.problems import Problem
from controlplane.rules.yaml_tree import BadYaml, MappingNode, Node, ScalarNode, SequenceNode, read_tree
from lightbulb.model import Value

T = TypeVar("T")

MAX_HINTS = 50
"""Problems of a workspace of which each says what was probably meant."""

MAX_COMPARED = 200
"""Characters of a name that is compared with others: to compare takes the square of them."""

_SIZES = {"MiB": 1, "GiB": 1024}
_TIMES = {"ms": 0.001, "s": 1.0, "m": 60.0}
_INTEGER = re.compile(r"-?\d{1,15}")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,10})?")
_SIZE = re.compile(r"(\d{1,9})\s*(MiB|GiB)")
_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m)")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Names go into routing keys and headers."""


class Misfit(Exception):
    """A node isn't what was expected; the problem is noted already."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a remedy that names what was probably meant, or what there is."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.6) if len(name) <= MAX_COMPARED else ()
    if close:
        return f"did you mean {close[0]}?"
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"use one of: {shown}" if known else "define it first"


def hint(name: str, known: Iterable[str], problems: Sized) -> str:
    """Return what `suggest` says; a plain remedy when there are more `problems` than anybody reads.

    To compare ten thousand unknown names with ten thousand known ones takes half an hour.
    """
    return suggest(name, known) if len(problems) < MAX_HINTS else "define it, or use what is defined"


class YamlFile:
    """One file being read; problems are added to `problems`."""

    def __init__(self, file: str, content: bytes, problems: list[Problem]) -> None:
        """Parse `content`; `root` is None when it can't be read at all."""
        self.file = file
        self._problems = problems
        self.root: Node | None = None
        try:
            self.root = read_tree(content.decode())
        except UnicodeDecodeError as error:
            self._add(1, "YAML", f"not UTF-8 at byte {error.start}", "save it as UTF-8")
        except BadYaml as error:
            self._add(error.line, "YAML", error.message, error.remedy)

    def location(self, node: Node) -> Location:
        """Return where a node stands."""
        return Location(file=self.file, line=node.line)

    def problem(self, node: Node, code: str, message: str, remedy: str) -> Misfit:
        """Note a problem with a node; returns what to raise."""
        self._add(node.line, code, message, remedy)
        return Misfit()

    def _add(self, line: int, code: str, message: str, remedy: str) -> None:
        self._problems.append(Problem(file=self.file, line=line, code=code, message=message, remedy=remedy))

    def pairs(self, node: Node, what: str) -> list[tuple[str, Node, Node]]:
        """Return key, key node and value node of a mapping; a duplicate key is noted, and left out."""
        if not isinstance(node, MappingNode):
            raise self.problem(node, "TYPE", f"{what} is not a mapping", "write key: value pairs")
        result: dict[str, tuple[str, Node, Node]] = {}
        for key, value in node.pairs():
            if not isinstance(key, ScalarNode):
                self.problem(key, "TYPE", f"a key of {what} is not a text", "write a plain key")
            elif key.value in result:
                first = result[key.value][1].line
                self.problem(
                    key, "DUPLICATE_KEY", f"{key.value} stands on line {first} already", "keep one of them"
                )
            else:
                result[key.value] = (key.value, key, value)
        return list(result.values())

    def fields(self, node: Node, what: str, required: Iterable[str], optional: Iterable[str] = ()) -> Fields:
        """Return the values of a mapping with known keys; unknown and missing keys are noted."""
        required, known = tuple(required), (*required, *optional)
        found: dict[str, Node] = {}
        for key, key_node, value in self.pairs(node, what):
            if key in known:
                found[key] = value
            else:
                remedy = hint(key, known, self._problems)
                self.problem(key_node, "UNKNOWN_KEY", f"{what} has no key {key}", remedy)
        missing = [key for key in required if key not in found]
        if missing:
            self.problem(node, "MISSING_KEY", f"{what} lacks {', '.join(missing)}", "add it")
        return Fields(found, complete=not missing)

    def items(self, node: Node, what: str) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(node, SequenceNode):
            raise self.problem(node, "TYPE", f"{what} is not a list", "write - items")
        return node.items

    def text(self, node: Node, what: str) -> str:
        """Return a scalar as it is written."""
        if not isinstance(node, ScalarNode) or not node.value:
            raise self.problem(node, "TYPE", f"{what} is not a text", "write a plain value")
        return node.value

    def name(self, node: Node, what: str) -> str:
        """Return a name that can go into a routing key."""
        text = self.text(node, what)
        if not NAME.fullmatch(text):
            raise self.problem(
                node, "NAME", f"{what} {text!r} is no name", "use up to 128 letters, digits, '.', '_' and '-'"
            )
        return text

    def basis_points(self, node: Node, what: str) -> int:
        """Return a percentage, at most two decimals, in basis points."""
        text = self.text(node, what)
        if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= 100 or _decimals(text) > 2:
            raise self.problem(
                node, "PERCENT", f"{what} {text} is no percentage", "write 0 to 100, at most two decimals"
            )
        return round(float(text) * 100)

    def size(self, node: Node, what: str) -> int:
        """Return memory in MiB."""
        text = self.text(node, what)
        match = _SIZE.fullmatch(text)
        if match is None or int(match.group(1)) == 0:
            raise self.problem(node, "SIZE", f"{what} {text} is no size", "write for example 512MiB or 2GiB")
        return int(match.group(1)) * _SIZES[match.group(2)]

    def time(self, node: Node, what: str) -> float:
        """Return seconds."""
        text = self.text(node, what)
        match = _TIME.fullmatch(text)
        if match is None or float(match.group(1)) == 0:
            raise self.problem(
                node, "DURATION", f"{what} {text} is no duration", "write for example 250ms, 60s or 5m"
            )
        return float(match.group(1)) * _TIMES[match.group(2)]

    def integer(self, node: Node, what: str) -> int:
        """Return a whole number."""
        text = self.text(node, what)
        if not _INTEGER.fullmatch(text):
            raise self.problem(node, "TYPE", f"{what} {text} is no whole number", "write digits")
        return int(text)

    def data(self, node: Node) -> object:
        """Return a node as plain data: mappings, lists, and typed scalars."""
        if isinstance(node, MappingNode):
            return {key: self.data(value) for key, _, value in self.pairs(node, "this")}
        if isinstance(node, SequenceNode):
            return [self.data(item) for item in node.items]
        return _typed(node)

    def each(self, node: Node, what: str, read: Callable[[Node, str], T]) -> tuple[T, ...]:
        """Return every item of a list; raises Misfit once all that are none have been noted."""
        result, misfits = [], 0
        for item in self.items(node, what):
            try:
                result.append(read(item, f"an item of {what}"))
            except Misfit:
                misfits += 1
        if misfits:
            raise Misfit
        return tuple(result)


class Fields:
    """The values of one mapping. Reading goes on after a misfit, so that all of them are noted."""

    def __init__(self, values: Mapping[str, Node], *, complete: bool) -> None:
        """`complete` says that every key which must be there is."""
        self._values = values
        self._good = complete

    def take(self, key: str, read: Callable[[Node, str], T], default: T | None = None) -> T:
        """Return what `read` makes of the key's value; until `finish`, it may be none."""
        node = self._values.get(key)
        try:
            return cast("T", default) if node is None else read(node, key)
        except Misfit:
            self._good = False
            return cast("T", default)

    def finish(self) -> None:
        """Raise Misfit when anything that was taken wasn't what it should be."""
        if not self._good:
            raise Misfit


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def _typed(node: ScalarNode) -> Value:
    text = node.value
    if node.quoted:
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
