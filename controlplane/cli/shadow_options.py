"""What a shadow is asked for with, as it is typed: an end, and a size."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

import click

from controlplane.cli.shift_options import DURATION

_PAIRS = re.compile(r"(\d{1,10})\s*pairs?")
_TIME = re.compile(r"[\d.]+[smhd]")
_SIZE = re.compile(r"(\d{1,8})\s*(B|KiB|MiB)?")
_UNITS = MappingProxyType({None: 1, "B": 1, "KiB": 1024, "MiB": 1024 * 1024})


@dataclass(frozen=True, slots=True)
class Until:
    """When a shadow ends: after so many pairs, or seconds; the other is 0."""

    pairs: int = 0
    lasts: float = 0.0


def together(until: Iterable[Until]) -> Until:
    """Return when a shadow ends; of several that say the same, the last counts."""
    pairs, lasts = 0, 0.0
    for each in until:
        pairs, lasts = each.pairs or pairs, each.lasts or lasts
    return Until(pairs, lasts)


class UntilType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A number of pairs, or a duration."""

    name = "pairs|duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Until:
        """Return an Until."""
        if isinstance(value, Until):
            return value
        text = str(value).replace(",", "").strip()
        found = _PAIRS.fullmatch(text)
        if found is not None and int(found[1]):
            return Until(pairs=int(found[1]))
        if found is not None or not _TIME.fullmatch(text):
            self.fail(f"{value!r} is no end: say 2000pairs, or a time such as 24h", param, ctx)
        return Until(lasts=DURATION.convert(text, param, ctx))


class SizeType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A number of bytes, KiB or MiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no size: a number and KiB or MiB, for example 4MiB", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


UNTIL = UntilType()
SIZE = SizeType()
