"""The text of experiments.lock.yaml: which buckets each cell of a test has. Pure.

A range is a line, and the lines stand in order, so that a review shows who moves. The check of a test tells
an entry that somebody has changed by hand, or put together of two, from what `lightbulb rules lock` wrote.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from controlplane.model import Buckets
from controlplane.problems import Problem
from controlplane.rules.yaml_file import Misfit, YamlFile
from controlplane.rules.yaml_tree import Node
from lightbulb.model import BASIS_POINTS

LOCK = "experiments.lock.yaml"

RUN = "run `lightbulb rules lock`, look at who moves, and commit"
RESTORE = "take it from version control as it was published, then run `lightbulb rules lock`"

_HEAD = """\
# Which of 10,000 buckets each cell of a test has: `0-3400: 1` gives cell 1 the buckets 0 to 3399.
# Written by `lightbulb rules lock`. Commit it with experiments.yaml; nobody edits it.
"""
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")
_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( .*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTest:
    """What a test's users were dealt by, and which buckets its cells have; `line` is where that stands.

    `unit` is the attribute whose value is hashed; empty: the user's id.
    """

    id: str
    salt: str
    unit: str = ""
    buckets: tuple[Buckets[int], ...]
    line: int = 0


def write_lock(tests: Iterable[LockedTest]) -> str:
    """Return the text for these tests."""
    lines = [line for test in sorted(tests, key=lambda test: test.id) for line in _lines(test)]
    return _HEAD + "\n".join(["tests:", *lines] if lines else ["tests: []"]) + "\n"


def _lines(test: LockedTest) -> Iterator[str]:
    yield f"  - id: {_quoted(test.id)}"
    yield f"    salt: {_quoted(test.salt)}"
    if test.unit:
        yield f"    unit: {_quoted(test.unit)}"
    yield "    buckets:"
    for each in test.buckets:
        yield f"      {each.begin}-{each.end}: {each.owner}"
    yield f"    check: {_quoted(_check(test))}"


def _quoted(text: str) -> str:
    """Return a text as YAML says it, on one line and in ASCII."""
    return '"' + "".join(each if _is_plain(each) else f"\\U{ord(each):08x}" for each in text) + '"'


def _is_plain(character: str) -> bool:
    return " " <= character <= "~" and character not in '"\\'


def _check(test: LockedTest) -> str:
    ranges = " ".join(f"{each.begin}-{each.end}:{each.owner}" for each in test.buckets)
    text = "\n".join([test.id, *map(_quoted, (test.salt, test.unit)), ranges])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_lock(content: bytes, problems: list[Problem]) -> Mapping[str, LockedTest]:
    """Return the tests of a lock file, by id; what is wrong with it is added to `problems`, and left out."""
    found: list[Problem] = []
    tests = _read(content, found)
    problems += (replace(problem, remedy=RESTORE) for problem in found)
    return tests


def untidy(content: bytes, tests: Mapping[str, LockedTest]) -> Iterator[Problem]:
    """Yield the first line of a lock file that says what it should, but not as it would be written."""
    text, tidy = _lines_of(content), write_lock(tests.values()).split("\n")
    if text != tidy:
        pairs = zip_longest(text, tidy)
        line = next(number for number, (one, other) in enumerate(pairs, 1) if one != other)
        message = "this line isn't as `lightbulb rules lock` writes it"
        yield Problem(file=LOCK, line=line, code="LOCK_STALE", message=message, remedy=RUN)


def _lines_of(content: bytes) -> list[str]:
    return content.decode(errors="replace").replace("\r\n", "\n").split("\n")


def _read(content: bytes, problems: list[Problem]) -> Mapping[str, LockedTest]:
    tests: dict[str, LockedTest] = {}
    file, nodes = _nodes(content, problems)
    for node in nodes:
        try:
            test = _test(file, node)
        except Misfit:
            continue
        if test.id in tests:
            first = tests[test.id].line
            file.problem(node, "LOCK_DAMAGED", f"test {test.id} stands on line {first} already", RESTORE)
        tests[test.id] = test
    return tests


def _nodes(content: bytes, problems: list[Problem]) -> tuple[YamlFile, Sequence[Node]]:
    """Return the entries that are in a lock file; none when it can't be read, which is noted."""
    conflict = next((line for line, text in enumerate(_lines_of(content), 1) if _CONFLICT.fullmatch(text)), 0)
    if conflict:
        message = "two versions of it were merged, and nobody said which one holds"
        problems.append(_damaged(conflict, message))
        return YamlFile(LOCK, b"", []), ()
    file = YamlFile(LOCK, content, problems)
    if file.root is None:
        if not problems:
            problems.append(_damaged(1, "it is empty"))
        return file, ()
    try:
        fields = file.fields(file.root, "the file", ["tests"])
        nodes = fields.take("tests", file.items)
        fields.finish()
    except Misfit:
        return file, ()
    return file, nodes


def _damaged(line: int, message: str) -> Problem:
    return Problem(file=LOCK, line=line, code="LOCK_DAMAGED", message=message, remedy=RESTORE)


def _test(file: YamlFile, node: Node) -> LockedTest:
    fields = file.fields(node, "a test", ["id", "salt", "buckets", "check"], ["unit"])
    test = LockedTest(
        id=fields.take("id", file.name),
        salt=fields.take("salt", file.text),
        unit=fields.take("unit", file.text, ""),
        buckets=fields.take("buckets", lambda node, what: tuple(_buckets(file, node, what))),
        line=node.line,
    )
    check = fields.take("check", file.text)
    fields.finish()
    if check != _check(test):
        raise file.problem(node, "LOCK_DAMAGED", f"the entry of test {test.id} was changed by hand", RESTORE)
    return test


def _buckets(file: YamlFile, node: Node, what: str) -> Iterator[Buckets[int]]:
    """Yield the ranges, which divide all buckets in their order."""

    def damaged(node: Node, message: str) -> Misfit:
        return file.problem(node, "LOCK_DAMAGED", message, RESTORE)

    reached = 0
    for text, key, value in file.pairs(node, what):
        match = _RANGE.fullmatch(text)
        cell = file.integer(value, f"the cell of {text}")
        if match is None or cell < 1:
            raise damaged(key, f"{text}: {cell} is no range of buckets and its cell")
        begin, end = map(int, match.groups())
        if begin != reached:
            how = "overlap what stands before" if begin < reached else f"leave a gap from {reached} on"
            raise damaged(key, f"the buckets {text} {how}")
        if end <= begin:
            raise damaged(key, f"there is no bucket in {text}")
        yield Buckets(begin=begin, end=end, owner=cell)
        reached = end
    if reached != BASIS_POINTS:
        raise damaged(node, f"its ranges end at {reached}, not at {BASIS_POINTS}")
