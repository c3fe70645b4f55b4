"""The rollout's policy, as flags give it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType

from controlplane.cli.variables import bad_value
from controlplane.rollout.state import MAX_WINDOW, Policy

_SECONDS = (math.inf, "a number of seconds, for example 15")
_ALLOWED: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "window": (MAX_WINDOW, f"a whole number of generations, 0 to {MAX_WINDOW}"),
        "max_unavailable": (1.0, "a share, 0 to 1, for example 0.1"),
    }
)
"""Setting -> the most that it may be, and what it is; all others are seconds."""


def make_policy(settings: Sequence[str]) -> Policy:
    """Return the policy that NAME=NUMBER texts describe; raise click.BadParameter for what can't be one."""
    kinds = {field.name: type(getattr(Policy(), field.name)) for field in fields(Policy)}
    values: dict[str, float] = {}
    for text in settings:
        name, _, number = text.partition("=")
        if name not in kinds:
            raise bad_value("--policy", f"{name!r} is none of {', '.join(kinds)}")
        most, allowed = _ALLOWED.get(name, _SECONDS)
        try:
            value = kinds[name](number)
        except ValueError:
            value = math.nan
        if not (0 <= value <= most and value < math.inf):
            raise bad_value("--policy", f"{number!r} can't be {name}, which is {allowed}")
        values[name] = value
    return replace(Policy(), **values)  # type: ignore[arg-type] # each is of its field's type
