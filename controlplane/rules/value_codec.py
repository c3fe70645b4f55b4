"""Our own frozen values as JSON, and back. What comes back is built of the classes below, and runs no code.

Any frozen dataclass or enumeration of `MODULES` will do, so that a new one needs nothing here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

MODULES = (
    "lightbulb.model",
    "controlplane.model",
    "controlplane.problems",
    "controlplane.rules.shapes",
    "controlplane.rules.file_rules",
    "controlplane.rules.file_tables",
    "controlplane.rules.lookup",
    "controlplane.rules.never",
    "controlplane.rules.effective",
)

_TUPLE, _MAPPING, _SET, _FIRST_CLASS = range(4)
"""What a list of JSON begins with: what it stands for. From _FIRST_CLASS on, a class by its number."""


class NotOurs(ValueError):
    """A value that isn't made of our own ones, or JSON that stands for none."""


def to_json(value: object) -> str:
    """Return a value as one line. Raises NotOurs."""
    writer = _Writer()
    content = writer.write(value)
    return json.dumps([writer.classes, content], separators=(",", ":"))


def from_json(text: str) -> object:
    """Return the value; raises NotOurs."""
    try:
        names, content = json.loads(text)
        return _read(content, [_maker(name) for name in names])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise NotOurs(str(error)) from error


class _Writer:
    """Writes one value; gives each class a number when it first meets it."""

    def __init__(self) -> None:
        self.classes: list[str] = []
        self._known: dict[type, tuple[int, tuple[str, ...]]] = {}

    def write(self, value: object) -> object:
        match value:
            case Enum():
                return self._ours(value)
            case None | bool() | int() | float() | str():
                return value
            case tuple():
                return [_TUPLE, *map(self.write, value)]
            case Mapping():
                return [_MAPPING, *(self.write(each) for pair in value.items() for each in pair)]
            case frozenset():
                return [_SET, *map(self.write, sorted(value))]
        return self._ours(value)

    def _ours(self, value: object) -> object:
        kind: type = type(value)
        number, names = self._known.get(kind) or self._meet(kind)
        return [number, *(self.write(getattr(value, name)) for name in names)]

    def _meet(self, kind: type) -> tuple[int, tuple[str, ...]]:
        """Return the number of a class, and the names of its parts."""
        name = f"{kind.__module__}:{kind.__qualname__}"
        parts = ("name",) if issubclass(_class(name), Enum) else _field_names(kind)
        self.classes.append(name)
        self._known[kind] = _FIRST_CLASS + len(self.classes) - 1, parts
        return self._known[kind]


def _read(node: Any, makers: Sequence[Callable[[list[Any]], object]]) -> Any:
    if type(node) is not list:
        if type(node) is dict:
            raise NotOurs("an object")
        return node
    kind = node[0]
    parts = [each if type(each) is not list else _read(each, makers) for each in node[1:]]
    if kind == _TUPLE:
        return tuple(parts)
    if kind == _MAPPING:
        return dict(zip(parts[::2], parts[1::2], strict=True))
    if kind == _SET:
        return frozenset(parts)
    return makers[kind - _FIRST_CLASS](parts)


@lru_cache(maxsize=256)
def _maker(name: str) -> Callable[[list[Any]], object]:
    """Return what makes a value of a class of ours out of its parts."""
    kind = _class(name)
    if issubclass(kind, Enum):
        return lambda parts: kind[parts[0]]
    names = _field_names(kind)
    return lambda parts: kind(**dict(zip(names, parts, strict=True)))


def _class(name: str) -> type:
    module, _, qualified = name.partition(":")
    kind = getattr(sys.modules.get(module), qualified, None) if module in MODULES else None
    if not isinstance(kind, type) or kind.__module__ != module:
        raise NotOurs(f"a {name}")
    return kind


def _field_names(kind: type) -> tuple[str, ...]:
    if not is_dataclass(kind):
        raise NotOurs(f"a {kind.__name__}")
    return tuple(field.name for field in fields(kind))
