"""The tables of docs/cli.md that say what a command's JSON holds: field -> type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

HEADER = re.compile(r"\| field of (.+?) \| type \| what \|")
ROW = re.compile(r"\| `([^`]+)` \| ([^|]+?) \|")
OPEN = frozenset({"parameters", "allocations", "consumers[].rejected"})
"""Objects whose names aren't fields."""

TYPES = {bool: "true or false", int: "number", float: "number", str: "text", type(None): "null"}


def tables() -> dict[str, dict[str, set[str]]]:
    """Return, by the words of the header, field -> the types that it may have, parts spelt out."""
    written = _written()
    return {name: dict(_spelt_out(name, written)) for name in written}


def _spelt_out(name: str, written: Mapping[str, Mapping[str, set[str]]]) -> Iterator[tuple[str, set[str]]]:
    for path, types in written[name].items():
        (part, *more) = sorted(types)
        if part in written and not more:
            yield from ((f"{path}.{inner}", kinds) for inner, kinds in _spelt_out(part, written))
        else:
            yield path, types


def _written() -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    rows: dict[str, set[str]] = {}
    for line in DOCUMENT.read_text().splitlines():
        header, row = HEADER.fullmatch(line), ROW.match(line)
        if header:
            rows = found[header[1]] = {}
        elif row:
            rows[row[1]] = set(row[2].split(", or "))
        elif not line.startswith("| ---"):
            rows = {}
    return found


def fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and type of everything in a document; what is empty has nothing in it."""
    if isinstance(value, list):
        for each in value:
            yield from fields(each, f"{path}[]")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            inner = "{}" if path in OPEN else f".{name}" if path else name
            yield from fields(each, f"{path}{inner}")
    else:
        yield path, TYPES[type(value)]


def check(document: Any, table: Mapping[str, set[str]], *, whole: bool = False) -> None:
    """Fail unless all that a document holds is documented so; `whole`: and the other way round."""
    there = list(fields(document))
    wrong = {(path, kind) for path, kind in there if kind not in table.get(path, set())}
    assert wrong == set(), f"docs/cli.md says otherwise: {sorted(wrong)}"
    if whole:
        assert table.keys() - {path for path, _ in there} == set(), "documented, but nowhere to be seen"
