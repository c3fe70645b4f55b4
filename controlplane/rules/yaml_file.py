"""YAML with line numbers: nodes are read into what is expected of them, and every misfit is a problem.

Every scalar has one reading (`scalars.py`): only `true` and `false` are booleans (NO is Norway), a version
1.10 stays "1.10", and what could be read in two ways is refused with what to write. Anchors, aliases and tags
are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sized
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar, cast

from controlplane.model import NAME, NAME_RULE, Location
from controlplane.problems import Problem
from controlplane.rules.oddities import oddity, unfit
from controlplane.rules.scalars import INTEGER, MAX_EXACT, NUMBER, Doubt, doubt_about, plain_number, value_of
from controlplane.rules.yaml_tree import (
    MAX_SHOWN,
    BadYaml,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    read_tree,
)
from lightbulb.model import BASIS_POINTS, Value

S = TypeVar("S")
T = TypeVar("T")

MAX_HINTS = 50
"""Problems of a workspace of which each says what was probably meant."""

MAX_COMPARED = 200
"""Characters of a name that is compared with others: to compare takes the square of them."""

_MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
"""What the protocol counts in."""
_SIZES = {"MiB": 1, "GiB": 1024}
_SIZE = re.compile(r"([1-9][0-9]{0,8})[ ]?(MiB|GiB)")
_TIME = re.compile(r"((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?)[ ]?(ms|s|m|h)")


class Misfit(Exception):
    """A node isn't what was expected; the problem is noted already."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a remedy that names what was probably meant, or what there is."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.6) if len(name) <= MAX_COMPARED else ()
    odd = oddity(name, "".join(close))
    said = f"{odd}; " if odd else ""
    if close:
        return f"{said}did you mean {close[0]}?"
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return said + (f"use one of: {shown}" if known else "define it first")


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
            line = content.count(b"\n", 0, error.start) + 1
            self._add(line, "YAML", f"not UTF-8 at byte {error.start}", "save it as UTF-8")
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
            remedy = "write key: value pairs, a blank after each colon"
            raise self.problem(node, "TYPE", f"{what} is not a mapping", remedy)
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
                glued = ":" in key and isinstance(value, ScalarNode) and not value.value
                remedy = "write a blank after the colon" if glued else hint(key, known, self._problems)
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
        """Return a scalar as it is written; a plain one that might be something else is refused."""
        if not isinstance(node, ScalarNode) or (node.quoted and not node.value):
            raise self.problem(node, "TYPE", f"{what} is not a text", "write a plain value")
        if not node.quoted:
            flag = node.value in {"true", "false"}
            doubt = Doubt("is a boolean") if flag else doubt_about(node.value)
            if doubt is not None:
                raise self._doubtful(node, what, doubt, _in_quotes(node))
        fault = unfit(node.value)
        if fault:
            raise self.problem(node, "TEXT", f"{what} {fault}", "write a short text without it")
        return node.value

    def _doubtful(self, node: ScalarNode, what: str, doubt: Doubt, remedy: str) -> Misfit:
        if not node.value:
            return self.problem(node, "TYPE", f"{what} {doubt.message}", "write one, or leave the key out")
        shown = node.value if len(node.value) <= MAX_SHOWN else "it"
        return self.problem(node, "AMBIGUOUS", f"{what}: {shown} {doubt.message}", remedy)

    def _plain(self, node: Node, what: str) -> str:
        """Return a scalar that is to be a number, a size or a time."""
        if not isinstance(node, ScalarNode) or not node.value:
            raise self.problem(node, "TYPE", f"{what} is not a plain value", "write a plain value")
        return node.value

    def name(self, node: Node, what: str) -> str:
        """Return a name that can go into a routing key."""
        text = self.text(node, what)
        if not NAME.fullmatch(text):
            odd = oddity(text)
            message = f"{what} {text!r} is no name" + (f": {odd}" if odd else "")
            raise self.problem(node, "NAME", message, NAME_RULE)
        return text

    def basis_points(self, node: Node, what: str) -> int:
        """Return a percentage, at most two decimals, in basis points."""
        text = self._plain(node, what)
        quoted = isinstance(node, ScalarNode) and node.quoted
        basis_points = None if quoted or len(text) > MAX_SHOWN else as_basis_points(text)
        if basis_points is None:
            plain = plain_number(text.removesuffix("%").strip().replace(",", ".", 1))
            right = plain if plain and as_basis_points(plain) is not None else ""
            remedy = f"write {right}" if right else "write 0 to 100, at most two decimals"
            raise self.problem(
                node, "PERCENT", f"{what} {_shown(node)} is no percentage", remedy + _without_quotes(node)
            )
        return basis_points

    def size(self, node: Node, what: str) -> int:
        """Return memory in MiB."""
        text = self._plain(node, what)
        match = _SIZE.fullmatch(text)
        if match is None:
            remedy = "write for example 512MiB or 2GiB"
            raise self.problem(node, "SIZE", f"{what} {_shown(node)} is no size", remedy)
        return int(match.group(1)) * _SIZES[match.group(2)]

    def time(self, node: Node, what: str) -> float:
        """Return seconds, in whole microseconds."""
        text = self._plain(node, what)
        match = _TIME.fullmatch(text)
        if match is None:
            remedy = "write for example 250ms, 60s, 5m or 2h"
            raise self.problem(node, "DURATION", f"{what} {_shown(node)} is no duration", remedy)
        exact = Decimal(match.group(1)) * _MICROSECONDS[match.group(2)]
        if not exact or exact % 1:
            message = f"{what} {text} is no duration of whole microseconds"
            raise self.problem(node, "DURATION", message, "write 0.001ms or more, in steps of that")
        return int(exact) / 1_000_000

    def integer(self, node: Node, what: str) -> int:
        """Return a whole number that any number carries exactly."""
        text = self._plain(node, what)
        if not INTEGER.fullmatch(text) or text == "-0":
            plain = plain_number(text)
            remedy = f"write {plain}" if INTEGER.fullmatch(plain) else "write digits"
            raise self.problem(node, "TYPE", f"{what} {_shown(node)} is no whole number", remedy)
        if len(text) > MAX_SHOWN or abs(int(text)) > MAX_EXACT:
            raise self.problem(node, "TYPE", f"{what} {_shown(node)} is beyond {MAX_EXACT}", "write less")
        return int(text)

    def data(self, node: Node, what: str) -> object:
        """Return a node as plain data; raise Misfit once all that can't be read has been noted."""
        if isinstance(node, MappingNode):
            pairs = self.pairs(node, what)
            found, misfits = self._all(pairs, lambda pair: (pair[0], self.data(pair[2], pair[0])))
            if misfits or len(pairs) < len(node.items) // 2:
                raise Misfit
            return dict(found)
        if isinstance(node, SequenceNode):
            items, misfits = self._all(node.items, lambda item: self.data(item, f"an item of {what}"))
            if misfits:
                raise Misfit
            return items
        return self._typed(node, what)

    def _all(self, values: Iterable[S], read: Callable[[S], T]) -> tuple[list[T], int]:
        """Return what `read` makes of each value, and how many of them are misfits."""
        result, misfits = [], 0
        for value in values:
            try:
                result.append(read(value))
            except Misfit:
                misfits += 1
        return result, misfits

    def _typed(self, node: ScalarNode, what: str) -> Value:
        if node.quoted:
            return node.value
        if node.lines > 1:
            raise self._doubtful(node, what, Doubt("goes on over several lines"), _in_quotes(node))
        value = value_of(node.value)
        if isinstance(value, Doubt):
            quoted = _in_quotes(node)
            remedy = f"write {value.write}, or if it is a text {quoted}" if value.write else quoted
            raise self._doubtful(node, what, value, remedy)
        return value

    def each(self, node: Node, what: str, read: Callable[[Node, str], T]) -> tuple[T, ...]:
        """Return every item of a list; raises Misfit once all that are none have been noted."""
        result, misfits = self._all(self.items(node, what), lambda item: read(item, f"an item of {what}"))
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


def as_basis_points(text: str) -> int | None:
    """Return a percentage as it is written in basis points; None if it isn't 0 to 100 with two decimals."""
    if not NUMBER.fullmatch(text) or text.startswith("-"):
        return None
    exact = Decimal(text) * 100
    return int(exact) if exact <= BASIS_POINTS and not exact % 1 else None


def _in_quotes(node: ScalarNode) -> str:
    text = node.value
    return f"quote it: {json.dumps(text, ensure_ascii=False)}" if len(text) <= MAX_SHOWN else "quote it"


def _shown(node: Node) -> str:
    """Return a scalar as a message says it, in its quotes."""
    assert isinstance(node, ScalarNode)
    return json.dumps(node.value, ensure_ascii=False) if node.quoted else node.value


def _without_quotes(node: Node) -> str:
    return " without quotes" if isinstance(node, ScalarNode) and node.quoted else ""
