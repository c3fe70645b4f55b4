"""The rollout's policy, as flags give it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace

import click

from controlplane.rollout.state import MAX_LIVE, Policy


def make_policy(settings: Sequence[str]) -> Policy:
    """Return the policy that NAME=NUMBER texts describe; raise click.BadParameter for what can't be one."""
    kinds = {field.name: type(getattr(Policy(), field.name)) for field in fields(Policy)}
    values: dict[str, float] = {}
    for text in settings:
        name, _, number = text.partition("=")
        if name not in kinds:
            raise click.BadParameter(f"{name!r} is none of {', '.join(kinds)}", param_hint="--policy")
        try:
            value = kinds[name](number)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf or (name == "window" and value >= MAX_LIVE):
            raise click.BadParameter(f"{number!r} can't be {name}", param_hint="--policy")
        values[name] = value
    return replace(Policy(), **values)  # type: ignore[arg-type] # each is of its field's type
