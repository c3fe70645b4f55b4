"""Who is asking, as the options of a command line say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from controlplane.cli.variables import bad_value
from lightbulb.model import FIXED_ATTRIBUTES, AttributeValue, RequestContext, Value

_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_CELL = re.compile(r"\d{1,9}", re.ASCII)


def make_context(  # noqa: PLR0913 - one argument an option
    *,
    user: str,
    country: str,
    device: str,
    locale: str,
    surface: str,
    attribute: tuple[str, ...],
    cell: tuple[str, ...],
) -> RequestContext:
    """Return the context that the options describe; raise click.BadParameter for what can't be one."""
    return RequestContext(
        user_id=user,
        country=country,
        device=device,
        locale=locale,
        surface=surface,
        attributes=dict(_attributes(attribute)),
        allocations={test: _cell(test, number) for test, number in _pairs(cell, "--cell", "TEST=CELL")},
    )


def _pairs(texts: tuple[str, ...], flag: str, form: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise bad_value(flag, f"{text!r} is not {form}")
        if name in seen:
            raise bad_value(flag, f"{name} is there twice; leave one")
        seen.add(name)
        yield name, value


def _attributes(texts: tuple[str, ...]) -> Iterator[tuple[str, AttributeValue]]:
    for name, text in _pairs(texts, "--attribute", "NAME=VALUE"):
        if name in FIXED_ATTRIBUTES:
            raise bad_value("--attribute", f"{name} has a flag of its own, --{name}")
        yield name, _attribute(name, text)


def _cell(test: str, text: str) -> int:
    if not _CELL.fullmatch(text):
        raise bad_value("--cell", f"cell {text!r} of test {test} is not a number")
    return int(text)


def _attribute(name: str, text: str) -> AttributeValue:
    """Return an attribute's value. A text that begins with [ is a list, in JSON."""
    if not text.startswith("["):
        return _value(text)
    try:
        elements = json.loads(text, parse_constant=lambda _: None)  # NaN is no number
    except (ValueError, RecursionError):
        elements = [None]
    if not all(isinstance(each, bool | int | float | str) for each in elements):
        raise bad_value("--attribute", f'{name} is not a list of scalars, for example ["a", 1, true]')
    return tuple(elements)


def _value(text: str) -> Value:
    if text in {"true", "false"}:
        return text == "true"
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
