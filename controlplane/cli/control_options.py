"""What a control, be it a shift or a shadow, is asked for with: a model and shares as typed, and by whom."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import click

from controlplane.cli.options import (
    OBJECTIVE,
    author_option,
    control_plane_option,
    tenant_option,
    wait_option,
)
from controlplane.cli.variables import Command, argument, option

_SHARE = re.compile(r"\d{1,3}(?:\.\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Model:
    """A model; an empty `version`: the only one there is."""

    name: str
    version: str


class ModelType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """MODEL or MODEL@VERSION."""

    name = "model[@version]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Model:
        """Return a Model."""
        if isinstance(value, Model):
            return value
        name, separator, version = str(value).partition("@")
        if not name or (separator and not version):
            self.fail(f"{value!r} is not MODEL or MODEL@VERSION, for example gbdt@3", param, ctx)
        return Model(name, version)


class ShareType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A percentage with at most two decimals, as basis points."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return basis points."""
        text = str(value).strip().removesuffix("%").rstrip()
        if not _SHARE.fullmatch(text) or Decimal(text) > 100:
            self.fail(
                f"{value!r} is no share: 0 to 100, with two decimals at most, for example 2.5", param, ctx
            )
        return int(Decimal(text) * 100)


class ScheduleType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """Percentages with commas between them, as basis points."""

    name = "percent,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return basis points, which rise."""
        if isinstance(value, tuple):
            return value
        steps = tuple(SHARE.convert(part, param, ctx) for part in str(value).split(","))
        if any(later <= earlier for earlier, later in pairwise(steps)):
            self.fail(f"{value!r} falls: each step must be more than the one before", param, ctx)
        return steps


MODEL = ModelType()
SHARE = ShareType()
SCHEDULE = ScheduleType()


def control_options(until: str) -> Callable[[Command], Command]:
    """Return the argument and the options that all that is done to a control has; it is waited `until`."""

    def add(command: Command) -> Command:
        for each in (
            author_option,
            option("--message", "-m", default="", help="What for."),
            wait_option(until, least=0.0, default=30.0),
            control_plane_option,
            tenant_option,
            argument("objective", type=OBJECTIVE),
        ):
            command = each(command)
        return command

    return add
