"""Whether a query can be written: each value that can't is named, with what to do about it.

Pure, and on the client's side: such a query is refused before any call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lightbulb.errors import InvalidContext
from lightbulb.model import FIXED_ATTRIBUTES
from lightbulb.rpc.answer import Query

INT64 = range(-(2**63), 2**63)
SHOWN = 40
"""So many characters of a value are shown."""

_FIELDS = ("user_id", *FIXED_ATTRIBUTES)
_ONE_VALUE = "an attribute is a text, a number, a bool, or a list of them"


def check_writable(query: Query) -> None:
    """Raise InvalidContext, naming the field or attribute and the remedy, if `query` can't be written."""
    for name in ("objective", "override_model", "sidecar"):
        _check_text(name, getattr(query, name))
    context = query.context
    for name in _FIELDS:
        _check_text(f"context.{name}", getattr(context, name, None))
    for name, value in _items("context.attributes", context.attributes):
        _check_value(f"context.attributes[{name!r:.{SHOWN}}]", value)
    for name, cell in _items("context.allocations", context.allocations):
        if not isinstance(cell, int):
            raise _refused(f"context.allocations[{name!r:.{SHOWN}}]", cell, "give the number of a cell")


def _items(path: str, mapping: Any) -> list[tuple[str, Any]]:
    if not isinstance(mapping, Mapping):
        raise _refused(path, mapping, "give a mapping, from names to values")
    for name in mapping:
        _check_text(f"a name in {path}", name)
    return list(mapping.items())


def _check_text(path: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _refused(path, value, "give a text" if value is not None else "leave it out")
    if not value.isascii() and value.encode("utf-8", "replace").decode() != value:
        raise _refused(path, value, "half a character (a lone surrogate) has no UTF-8; send the whole one")


def _check_value(path: str, value: Any) -> None:
    if not isinstance(value, list | tuple):
        _check_scalar(path, value)
        return
    for index, each in enumerate(value):
        _check_scalar(f"{path}[{index}]", each)


def _check_scalar(path: str, value: Any) -> None:
    match value:
        case str():
            _check_text(path, value)
        case int() if value not in INT64:
            raise InvalidContext(f"{path} is a number beyond 64 bits; send it as a text", path=path)
        case float() if not math.isfinite(value):
            raise _refused(path, value, "a number is finite; leave it out")
        case bool() | int() | float():
            pass
        case None:
            raise _refused(path, value, "leave it out")
        case bytes():
            raise _refused(path, value, f"{_ONE_VALUE}: decode it")
        case list() | tuple() | set() | dict():
            raise _refused(path, value, f"{_ONE_VALUE}: send one attribute for each part")
        case _:
            raise _refused(path, value, f"{_ONE_VALUE}: convert it, one of numpy's with .item()")


def _refused(path: str, value: Any, remedy: str) -> InvalidContext:
    kind = "" if value is None else f"{type(value).__name__} "
    return InvalidContext(f"{path} is {kind}{ascii(value)[:SHOWN]}; {remedy}", path=path)
