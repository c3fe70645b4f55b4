"""Special routes: what an objective's routes say of one key, before its map of all keys is asked. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controlplane.lifecycle.state import SHIFTING, Control, ShiftState
from controlplane.lifecycle.views import operator_shift, route_of
from controlplane.planning.routing import Inconsistent
from lightbulb.model import BASIS_POINTS, KEY_SEPARATOR

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of routes become names of statistics, whose parts have dots between them."""

MAX_SPECIAL = 64
"""Of one objective: Envoy looks at them one after the other."""


Header = tuple[str, str]
"""A header's name, and what it is set to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Where a copy of each request goes, whose answer nobody waits for, and the headers that the copy has."""

    cluster: str
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialRoute:
    """A route of one routing key. `name` is what its requests are counted under.

    `arm`: of those requests alone that say so; empty: of all. `basis_points`: of so many of them, drawn by
    chance; the others go on to the next route. All that it takes have `headers`, and go to `mirrors` too.
    `withdrawn`: the key is answered as one that isn't known, so that whoever holds it resolves again.
    """

    name: str
    key: str
    arm: str = ""
    basis_points: int = BASIS_POINTS
    headers: tuple[Header, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    withdrawn: bool = False


def check_special(objective: str, special: Sequence[SpecialRoute], clusters: Collection[str]) -> None:
    """Raise Inconsistent with everything that Envoy would refuse, or send nowhere."""
    problems = [*_problems(objective, special, clusters)]
    if problems:
        raise Inconsistent("; ".join(problems))


def _problems(objective: str, special: Sequence[SpecialRoute], clusters: Collection[str]) -> Iterator[str]:
    if len(special) > MAX_SPECIAL:
        yield f"{len(special)} special routes of {objective}; {MAX_SPECIAL} are allowed"
    for name, count in Counter(each.name for each in special).items():
        if count > 1 or not _NAME.fullmatch(name):
            yield f"{objective}: {name!r} is no name of a special route, or is that of {count} of them"
    for each in special:
        if not each.key.startswith(objective + KEY_SEPARATOR):
            yield f"{each.name}: {each.key!r} is not a routing key of {objective}"
        if not 0 <= each.basis_points <= BASIS_POINTS:
            yield f"{each.name}: {each.basis_points} of {BASIS_POINTS} requests"
        unknown = [mirror.cluster for mirror in each.mirrors if mirror.cluster not in clusters]
        yield from (f"{each.name}: no cluster {cluster!r} to mirror to" for cluster in unknown)


def special_routes(control: Control) -> tuple[SpecialRoute, ...]:
    """Return a control's special routes: two that count its arms, or one that withdraws its key."""
    shift = control.shift
    if shift.state is ShiftState.CLEARING:
        name = f"shift-{shift.number}-withdrawn"
        return (SpecialRoute(name=name, key=shift.key, withdrawn=True),) if shift.refused else ()
    assert shift.state in {*SHIFTING, ShiftState.STARTING, ShiftState.ABORTING}
    arms = operator_shift(control)
    return (
        SpecialRoute(name=route_of(arms.candidate_arm), key=shift.key, arm=arms.candidate_arm),
        SpecialRoute(name=route_of(arms.control_arm), key=shift.default_key, arm=arms.control_arm),
    )


def by_tenant(controls: Iterable[Control]) -> Mapping[str, Mapping[str, tuple[SpecialRoute, ...]]]:
    """Return tenant -> objective -> its special routes; of those alone that have any."""
    found: dict[str, dict[str, tuple[SpecialRoute, ...]]] = {}
    for control in controls:
        special = special_routes(control)
        if special:
            found.setdefault(control.tenant, {})[control.objective] = special
    return found
