"""Special routes: what an objective's routes say of one key, before its map of all keys is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.shadow import NOTHING_SHADOWED, ByObjective, Shadow, Shadowed
from controlplane.lifecycle.state import (
    NO_NEW_DEFAULTS,
    SHIFTING,
    Control,
    Controls,
    NewDefault,
    NewDefaults,
    ShiftState,
)
from controlplane.lifecycle.views import cluster_of, operator_shift, route_of, route_of_default
from controlplane.planning.routing import Inconsistent
from lightbulb.model import (
    ARM_HEADER,
    BASIS_POINTS,
    COMPARE_HEADER,
    KEY_SEPARATOR,
    MODEL_HEADER,
    PARAMETERS_HEADER,
    ROUTING_KEY_HEADER,
    SHADOW_HEADER,
    TRAFFIC_HEADER,
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of routes become names of statistics, whose parts have dots between them."""

MAX_SPECIAL = 64
"""Of one objective; each has statistics."""


Header = tuple[str, str]
"""A header's name, and what it is set to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Where a copy of each request goes, whose answer nobody waits for.

    The copy has `headers`, and lacks those that are named in `without`.
    """

    cluster: str
    headers: tuple[Header, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialRoute:
    """A route of one routing key. Its requests are counted by `name`, which those of one key and arm share.

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
    for name in dict.fromkeys(each.name for each in special):
        own = [each for each in special if each.name == name]
        whose, shares = {(each.key, each.arm) for each in own}, {each.basis_points for each in own}
        if len(whose) > 1 or len(shares) < len(own) or not _NAME.fullmatch(name):
            yield f"{objective}: {name!r} is no name of a special route, or is that of {len(own)} of them"
    for each in special:
        if not each.key.startswith(objective + KEY_SEPARATOR):
            yield f"{each.name}: {each.key!r} is not a routing key of {objective}"
        if not 0 <= each.basis_points <= BASIS_POINTS:
            yield f"{each.name}: {each.basis_points} of {BASIS_POINTS} requests"
        unknown = [mirror.cluster for mirror in each.mirrors if mirror.cluster not in clusters]
        yield from (f"{each.name}: no cluster {cluster!r} to mirror to" for cluster in unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """How a shadow's copies are sent: up to so many bytes, so many at once, within so many seconds."""

    max_body: int
    at_once: int
    seconds: float


LEAST_SECONDS, MOST_SECONDS = 1.0, 10.0
"""That a copy may take; until then it is held."""


def copying(shadowed: Shadowed, shadow: Shadow) -> Copying:
    """Return how copies are sent: each for as long as the objective's callers wait."""
    wanted = shadowed.deadline or MOST_SECONDS
    return Copying(
        max_body=shadow.max_body,
        at_once=shadow.most_copies,
        seconds=min(MOST_SECONDS, max(LEAST_SECONDS, wanted)),
    )


def special_routes(
    control: Control | None, shadowed: Shadowed | None = None, new: NewDefault | None = None
) -> tuple[SpecialRoute, ...]:
    """Return an objective's special routes: those that count, with the copies that shadows get of them.

    Envoy draws one number for a request, whichever routes look at it. So those of a smaller share stand
    first, and whoever has a larger one gets these, and what is left up to its own.
    """
    counting = (*(() if control is None else _of_shift(control)), *(() if new is None else _of_default(new)))
    levels = () if shadowed is None else _levels(shadowed)
    found = list[SpecialRoute]()
    for route in counting:
        copied = shadowed is not None and route.key == shadowed.primary and not route.withdrawn
        if copied:
            found += [replace(each, name=route.name, arm=route.arm) for each in levels]
        if not (copied and any(each.basis_points == route.basis_points for each in levels)):
            found.append(route)  # else all of its requests are copied, and counted there
    return (*found, *levels)


def _levels(shadowed: Shadowed) -> tuple[SpecialRoute, ...]:
    """Return a route for each share that some shadow has, the smallest first."""
    standing = [each for each in shadowed.standing if each.basis_points]
    shares = sorted({each.basis_points for each in standing})
    return tuple(
        _level(shadowed.primary, share, [each for each in standing if each.basis_points >= share])
        for share in shares
    )


def _level(primary: str, share: int, shadows: Sequence[Shadow]) -> SpecialRoute:
    """Return what is done with the requests that all of some shadows get."""
    first = next(each for each in shadows if each.basis_points == share)
    return SpecialRoute(
        name=f"shadow-{first.id}",
        key=primary,
        basis_points=share,
        headers=((COMPARE_HEADER, ",".join(each.id for each in shadows)),),
        mirrors=tuple(map(_mirror, shadows)),
    )


def _mirror(shadow: Shadow) -> Mirror:
    return Mirror(
        cluster=cluster_of(shadow.id),
        headers=(
            (SHADOW_HEADER, shadow.id),
            (MODEL_HEADER, model_of(shadow.key)),
            (ROUTING_KEY_HEADER, shadow.key),
            (TRAFFIC_HEADER, "shadow"),
            *([(PARAMETERS_HEADER, shadow.parameters)] if shadow.parameters else []),
        ),
        without=(COMPARE_HEADER, ARM_HEADER),
    )


def _of_shift(control: Control) -> tuple[SpecialRoute, ...]:
    """Return two that count a shift's arms, or one that withdraws its key."""
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


def _of_default(new: NewDefault) -> tuple[SpecialRoute, ...]:
    """Return the route that counts a new default, once it is judged: whoever asks for its key."""
    return (SpecialRoute(name=route_of_default(new), key=new.key),) if new.number else ()


def by_tenant(
    controls: Controls,
    shadows: ByObjective = NOTHING_SHADOWED,
    new_defaults: NewDefaults = NO_NEW_DEFAULTS,
) -> Mapping[str, Mapping[str, tuple[SpecialRoute, ...]]]:
    """Return tenant -> objective -> its special routes; of those alone that have any."""
    found: dict[str, dict[str, tuple[SpecialRoute, ...]]] = {}
    for objective in sorted({*controls, *shadows, *new_defaults}):
        control, shadowed = controls.get(objective), shadows.get(objective)
        new = new_defaults.get(objective)
        special = special_routes(control, shadowed, new)
        whose = control or shadowed or new
        if special and whose is not None:
            found.setdefault(whose.tenant, {})[objective] = special
    return found
